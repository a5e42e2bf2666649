"""Checks that the app is set up in Slack as the bot needs it; each finding names the click that fixes it."""

from __future__ import annotations

from collections.abc import Sequence

from playbooks.model import Finding, NextStep, Status
from services.domain.slack_setup import (
    APPS_PAGE,
    Exchange,
    Installation,
    Part,
    Refused,
    SetupFacts,
    Shown,
)
from services.domain.text import counted

CLOCK_WARN_S = 60.0  # a synchronized clock agrees with Slack's within 1 to 2 s
CLOCK_FAIL_S = 300.0  # beyond this, Slack's signatures are refused in HTTP mode
MAX_CONNECTIONS = 10  # Slack's limit for one app
_TOKEN_CODES = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
_GROUP_CLICKS = {
    "no_such_subteam": "there is no such group: Slack → People → User groups → open it → ⋮ → Copy group ID, and put "
    "that into DRAGONFLY_OPERATORS, DRAGONFLY_APPROVERS or the policy",
    "missing_scope": "OAuth & Permissions → Scopes → Add usergroups:read, then Reinstall to Workspace",
    "plan_upgrade_required": "this workspace's plan has no user groups: list people by their ids (U…) instead",
}
_PERSON_CLICKS = {
    "user_not_found": "no such account in this workspace: copy the id again (profile → ⋮ → Copy member ID)",
    "user_disabled": "the account is deactivated: take it out of the list",
    "missing_scope": "OAuth & Permissions → Scopes → Add im:write, then Reinstall to Workspace",
}
_MESSAGES_TAB = (
    "App Home → Show Tabs → switch Messages Tab on, and tick 'Allow users to send Slash commands and messages from "
    "the messages tab'"
)


def check(facts: SetupFacts) -> list[Finding]:
    """All findings about the setup; only the token's if Slack refuses it, because every other call needs it."""
    match facts.installation:
        case Refused() as refused:
            return [_check_token(refused)]
        case installation:
            return [
                Finding("slack.token", Status.OK, f"{installation.bot_name} is installed in {installation.team}"),
                _check_scopes(installation, facts.wanted),
                _check_clock(installation),
                _check_place(facts),
                *_check_app_token(facts, installation),
                *(_check_group(group, why, installation) for group, why in facts.groups.items()),
                *_check_people(facts),
                *(_check_exchange(facts.exchange, facts, installation) if facts.exchange else []),
            ]


def _page(installation: Installation | None, page: str) -> NextStep:
    """The page of the app's settings with the setting to click."""
    app_id = installation.app_id if installation else None
    return NextStep("Open the app's settings", url=f"{APPS_PAGE}/{app_id}/{page}" if app_id else APPS_PAGE)


def _unknown(check: str, title: str, refused: Refused) -> Finding:
    return Finding(check, Status.UNKNOWN, f"{title}: unknown", refused.why, evidence={"code": refused.code})


def _failed(check: str, title: str, click: str, refused: Refused | None, step: NextStep | None = None) -> Finding:
    evidence = {"code": refused.code} if refused else {}
    return Finding(check, Status.FAIL, title, click, evidence=evidence, next_step=step)


def _check_token(refused: Refused) -> Finding:
    if refused.is_unknown:
        return _unknown("slack.token", "the bot token", refused)
    click = "OAuth & Permissions → Install to Workspace, then copy the Bot User OAuth Token (xoxb-…) to SLACK_BOT_TOKEN"
    return _failed("slack.token", f"Slack refuses SLACK_BOT_TOKEN ({refused.code})", click, refused, _page(None, ""))


def _check_scopes(installation: Installation, wanted: Sequence[str]) -> Finding:
    if installation.scopes is None:
        detail = "Slack named no scopes with its answer"
        return Finding("slack.scopes", Status.UNKNOWN, "the app's scopes: unknown", detail)
    missing = [scope for scope in wanted if scope not in installation.scopes]
    if not missing:
        return Finding("slack.scopes", Status.OK, f"all {len(wanted)} scopes are granted")
    names = ", ".join(missing)
    click = f"OAuth & Permissions → Scopes → Bot Token Scopes → Add {names}, then Reinstall to Workspace"
    title = f"the app lacks {'a scope' if len(missing) == 1 else f'{len(missing)} scopes'}: {names}"
    step = _page(installation, "oauth")
    return Finding("slack.scopes", Status.FAIL, title, click, evidence={"missing": missing}, next_step=step)


def _check_clock(installation: Installation) -> Finding:
    ahead = installation.clock_ahead_s
    if ahead is None:
        return Finding("slack.clock", Status.UNKNOWN, "this machine's clock: unknown", "Slack's answer had no time")
    evidence = {"ahead_s": round(ahead)}
    if abs(ahead) < CLOCK_WARN_S:
        return Finding("slack.clock", Status.OK, "this machine's clock agrees with Slack's", evidence=evidence)
    side = "ahead of" if ahead > 0 else "behind"
    click = "switch time synchronization on (Linux: `sudo timedatectl set-ntp true`), then run this again"
    status = Status.FAIL if abs(ahead) >= CLOCK_FAIL_S else Status.WARN
    title = f"this machine's clock is {abs(ahead):.0f} s {side} Slack's"
    return Finding("slack.clock", status, title, click, evidence=evidence)


def _check_place(facts: SetupFacts) -> Finding:
    name = facts.channel if facts.channel[:1] in "CG" and facts.channel.isupper() else f"#{facts.channel}"
    bot = facts.installation.bot_name if isinstance(facts.installation, Installation) else "dragonfly"
    match facts.place:
        case Refused(is_unknown=True) as refused:
            return _unknown("slack.channel", name, refused)
        case Refused(code="channel_not_found") as refused:
            click = f"create the channel and type `/invite @{bot}` there; a private one is invisible until then"
            return _failed("slack.channel", f"{name} was not found", click, refused)
        case Refused() as refused:
            return _failed("slack.channel", f"{name} can't be read ({refused.code})", "see the scopes", refused)
        case None:
            return Finding("slack.channel", Status.UNKNOWN, f"{name}: unknown", "it was not asked for")
        case place if place.is_archived:
            click = "open the channel's details → Settings → Unarchive, or set SLACK_INCIDENTS_CHANNEL to another one"
            return _failed("slack.channel", f"{name} is archived", click, None)
        case place if not place.is_member:
            return _failed("slack.channel", f"the bot is not in {name}", f"type `/invite @{bot}` in {name}", None)
        case _:
            return Finding("slack.channel", Status.OK, f"the bot is in {name}")


def _check_app_token(facts: SetupFacts, installation: Installation) -> list[Finding]:
    if not facts.uses_socket_mode:
        return [Finding("slack.app_token", Status.OK, "HTTP mode: no app-level token is needed")]
    step = _page(installation, "general")
    click = "Basic Information → App-Level Tokens → Generate (scope connections:write), and copy it to SLACK_APP_TOKEN"
    refused = facts.app_token
    if refused is not None and refused.is_unknown:
        return [_unknown("slack.app_token", "the app-level token", refused)]
    if refused is not None:
        title = f"Slack refuses SLACK_APP_TOKEN ({refused.code})"
        return [_failed("slack.app_token", title, click, refused, step)]
    named = _named_app(facts)
    if named and installation.app_id and named != installation.app_id:
        title = f"SLACK_APP_TOKEN is another app's ({named}); the bot token is {installation.app_id}'s"
        return [_failed("slack.app_token", title, f"open {installation.app_id}: {click}", None, step)]
    return [Finding("slack.app_token", Status.OK, "Slack takes the app-level token")]


def _named_app(facts: SetupFacts) -> str | None:
    """The app that Slack's greeting names, else the one in the token's text: the greeting is better evidence."""
    hello = facts.exchange.hello if facts.exchange else None
    return (hello.app_id if hello else None) or facts.app_of_token


def _check_group(group: str, refused: Refused | None, installation: Installation) -> Finding:
    name = f"slack.group.{group}"
    if refused is None:
        return Finding(name, Status.OK, f"user group {group} can be read")
    if refused.is_unknown:
        return _unknown(name, f"user group {group}", refused)
    click = _GROUP_CLICKS.get(refused.code, f"Slack answered {refused.code}: check the group's id")
    step = _page(installation, "oauth") if refused.code == "missing_scope" else None
    return _failed(name, f"user group {group} can't be read, so it allows no one", click, refused, step)


def _check_people(facts: SetupFacts) -> list[Finding]:
    """One finding for all people whom the bot can write to; one for each whom it can't."""
    wrong = {person: why for person, why in facts.people.items() if why is not None}
    findings = [_check_person(person, why) for person, why in wrong.items()]
    reached = len(facts.people) - len(wrong)
    if reached:
        words = f"{counted(reached, 'conversation')} with operators and approvers can be opened"
        findings.append(Finding("slack.people", Status.OK, words))
    return findings


def _check_person(person: str, refused: Refused) -> Finding:
    name = f"slack.person.{person}"
    if refused.is_unknown:
        return _unknown(name, f"direct messages to {person}", refused)
    click = _PERSON_CLICKS.get(refused.code, f"Slack answered {refused.code}: check this person's account")
    return _failed(name, f"the bot can't write to {person} directly, and can't page them there", click, refused)


def _check_exchange(exchange: Exchange, facts: SetupFacts, installation: Installation) -> list[Finding]:
    connections = _check_connections(exchange, installation)
    if exchange.hello is None or exchange.others:
        return [connections]
    if not exchange.arrived:
        why = exchange.ended.why if exchange.ended else "nothing was done in Slack, or Slack delivers nothing"
        detail = f"{why}: run `dragonfly check-slack --live` again"
        title = f"nothing arrived from Slack within {exchange.within_s:.0f} s"
        return [connections, Finding("slack.exchange", Status.UNKNOWN, title, detail)]
    return [
        connections,
        *_check_posted(exchange),
        _check_button(exchange, installation),
        _check_command(exchange, facts, installation),
        *_check_events(exchange, installation),
    ]


def _check_connections(exchange: Exchange, installation: Installation) -> Finding:
    name, step = "slack.connections", _page(installation, "socket-mode")
    if exchange.refused is not None:
        return _check_refused_connection(exchange.refused, step)
    if exchange.others:
        title = f"{counted(exchange.others, 'other connection')} of this app {_are(exchange.others)} open"
        detail = "Slack delivers to any of them, so nothing was tried: stop the bot, then run this again"
        return Finding(name, Status.WARN, title, detail, evidence={"others": exchange.others})
    return Finding(name, Status.OK, "Socket Mode connects")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _check_refused_connection(refused: Refused, step: NextStep) -> Finding:
    name = "slack.connections"
    match refused.code:
        case "too_many_websockets":
            title = f"all {MAX_CONNECTIONS} Socket Mode connections of this app are taken"
            click = "stop bots that still run with this SLACK_APP_TOKEN; if none does: Basic Information → App-Level "
            click += "Tokens → Revoke, and generate a new one, which closes all of them"
            return _failed(name, title, click, refused, step)
        case "link_disabled":
            return _failed(name, "Socket Mode is off", "Socket Mode → switch Enable Socket Mode on", refused, step)
        case _ if refused.is_unknown:
            return _unknown(name, "Socket Mode", refused)
        case code:
            return _failed(name, f"Socket Mode does not connect ({code})", "see the app-level token", refused, step)


def _check_posted(exchange: Exchange) -> list[Finding]:
    if exchange.posted is None:
        return []
    title = f"the bot could not post in the channel ({exchange.posted.code})"
    return [_failed("slack.post", title, "see the channel and the scopes", exchange.posted)]


def _check_button(exchange: Exchange, installation: Installation) -> Finding:
    name = "slack.interactivity"
    if Part.BUTTON in exchange.arrived:
        return Finding(name, Status.OK, "buttons reach the bot")
    if exchange.posted is not None:
        return Finding(name, Status.UNKNOWN, "interactivity: unknown", "there was no button to press")
    if exchange.ended is not None:
        return _unknown(name, "interactivity", exchange.ended)
    click = "Interactivity & Shortcuts → switch Interactivity on → Save Changes"
    return _failed(name, "no press of the button arrived", click, None, _page(installation, "interactive-messages"))


def _check_command(exchange: Exchange, facts: SetupFacts, installation: Installation) -> Finding:
    name, step = "slack.command", _page(installation, "slash-commands")
    if Part.COMMAND in exchange.arrived:
        return Finding(name, Status.OK, f"{facts.command} reaches the bot")
    missing = f"Slash Commands → Create New Command → {facts.command}, tick Escape channels, users and links, then "
    missing += "Reinstall to Workspace"
    taken = f"another app has {facts.command}: remove its command (its Slash Commands page → delete), or give this app "
    taken += "its own with `dragonfly manifest --command`"
    match exchange.shown:
        case Shown.NOT_VALID:
            return _failed(name, f"Slack does not know {facts.command}", missing, None, step)
        case _ if exchange.ended is not None:
            return _unknown(name, facts.command, exchange.ended)
        case Shown.OTHER_APP:
            return _failed(name, f"two apps have {facts.command}, and Slack calls the other one", taken, None, step)
        case _:
            both = f"if Slack showed 'not a valid command': {missing}; otherwise {taken}"
            return _failed(name, f"{facts.command} did not arrive", both, None, step)


def _check_events(exchange: Exchange, installation: Installation) -> list[Finding]:
    """Findings about mentions and direct messages; a missing direct message proves something only after a mention."""
    home, events = _page(installation, "app-home"), _page(installation, "event-subscriptions")
    if exchange.direct is not None:
        direct = _check_direct_refused(exchange.direct, home)
    elif Part.DIRECT in exchange.arrived:
        direct = Finding("slack.direct", Status.OK, "direct messages reach the bot")
    elif exchange.ended is not None:
        direct = _unknown("slack.direct", "direct messages", exchange.ended)
    elif Part.MENTION in exchange.arrived:
        click = f"{_MESSAGES_TAB}; Event Subscriptions → Subscribe to bot events → message.im"
        direct = _failed("slack.direct", "no direct message arrived", click, None, home)
    else:
        direct = Finding("slack.direct", Status.UNKNOWN, "direct messages: unknown", "no event arrives at all")
    if Part.MENTION in exchange.arrived:
        return [Finding("slack.events", Status.OK, "mentions reach the bot"), direct]
    if exchange.ended is not None:
        return [_unknown("slack.events", "mentions", exchange.ended), direct]
    click = "Event Subscriptions → switch Enable Events on → Subscribe to bot events: app_home_opened, app_mention, "
    click += "message.im, reaction_added, reaction_removed → Save Changes, then Reinstall to Workspace"
    return [_failed("slack.events", "no mention arrived", click, None, events), direct]


def _check_direct_refused(refused: Refused, step: NextStep) -> Finding:
    if refused.is_unknown:
        return _unknown("slack.direct", "direct messages", refused)
    click = _MESSAGES_TAB if refused.code == "messages_tab_disabled" else f"Slack answered {refused.code}"
    return _failed("slack.direct", f"the bot can't write direct messages ({refused.code})", click, refused, step)

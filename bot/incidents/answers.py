"""Answers from outside Slack: a one-time link in an e-mail or a webhook page, and the events of PagerDuty.

Each is one transaction under the incident's lock, like an answer in Slack, and stops paging. Slack is not asked for
permission: a person who has the link of a page was paged by it, and PagerDuty signs its events.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.incidents import acts, paging
from bot.incidents.decide import why_ignored
from bot.incidents.store import IncidentStore
from bot.views.answer_page import AnswerPage
from bot.views.incident import summary
from services.clients.pagers.pagerduty import PagerDutyApi
from services.clients.postgres import answers, incident_alerts, incidents
from services.clients.postgres.audit import append_audit
from services.clients.postgres.pool import Connection, Database
from services.domain.answers import PageLink, PagerAction, PagerEvent, PagerUser
from services.domain.channels import Channel
from services.domain.errors import SourceError
from services.domain.escalation_chain import ChainLevel, decode_chain
from services.domain.incidents import Incident, IncidentState
from services.domain.messages import message_link
from services.domain.people import Person, outsider

logger = logging.getLogger(__name__)

TIMEOUT_S = 15.0  # the transaction waits for a page that is being posted
LOOKUP_S = 2.0
PAGERDUTY = "PagerDuty"
_IN_SLACK = (Channel.MENTION, Channel.DIRECT)


def nowhere() -> str | None:
    """Stand in for a fact about the workspace that is not known: always None."""
    return None


@dataclass(frozen=True)
class Accounts:
    """The data by which answers from outside Slack are matched to people.

    `emails`: `{address of an e-mail target, in small letters: its name}`. `team`, `workspace_url`: of our Slack
    workspace, None until Slack reported them. `pagerduty`: reads a person's address there, None without a token.
    """

    emails: Mapping[str, str] = field(default_factory=dict)
    team: Callable[[], str | None] = nowhere
    workspace_url: Callable[[], str | None] = nowhere
    pagerduty: PagerDutyApi | None = None


class PhoneAnswers:
    """Takes answers by one-time link and by PagerDuty event; one per process."""

    def __init__(self, database: Database, incident_store: IncidentStore, accounts: Accounts) -> None:
        self._database = database
        self._incident_store = incident_store
        self._accounts = accounts

    async def aclose(self) -> None:
        """End the connections to PagerDuty."""
        if self._accounts.pagerduty is not None:
            await self._accounts.pagerduty.aclose()

    async def show(self, token: str) -> AnswerPage | None:
        """Return the page of a link; nothing changes. None if the link is not valid. Raises SourceError."""
        async with self._database.read(timeout_s=LOOKUP_S) as conn:
            link = await answers.find_page_link(conn, token=token)
            incident = await incidents.read_incident(conn, link.incident_id) if link else None
            if link is None or incident is None:
                return None
            return await self._page(conn, link, incident, await self._paged_person(conn, link, incident))

    async def acknowledge(self, token: str) -> AnswerPage | None:
        """Assign the paged person, once per link; return the page to show. None if the link is not valid.

        If the answer to the COMMIT is lost, a second attempt finds out what the first one did. Raises SourceError; its
        `outcome_unknown` is about both attempts.
        """
        try:
            return await self._acknowledge(token)
        except SourceError as lost:
            if not lost.outcome_unknown:
                raise
            try:
                return await self._acknowledge(token)
            except SourceError as again:
                raise lost from again

    async def _acknowledge(self, token: str) -> AnswerPage | None:
        async with self._database.transaction(timeout_s=TIMEOUT_S) as conn:
            link = await answers.find_page_link(conn, token=token)
            if link is None or link.is_expired:
                return None
            incident = await acts.find(conn, link.incident_id)
            person = await self._paged_person(conn, link, incident)
            if incident.state is IncidentState.OPEN and await answers.use_page_link(conn, token=token):
                words = f"acknowledged it by the link of a page ({link.channel.words}); no one else is paged"
                await acts.acknowledge(self._incident_store, conn, incident, person, words=words)
                await _audit(conn, "acknowledged", incident, person, {"by": f"link:{link.channel}"})
                incident = await acts.find(conn, link.incident_id)
                link = await answers.find_page_link(conn, token=token) or link
            page = await self._page(conn, link, incident, person)
        self._incident_store.wake_ups.outbox.set()
        return page

    async def on_event(self, event: PagerEvent) -> None:
        """Bring the incident to the state of the pager's alert. Foreign, old and repeated events change nothing.

        Raises SourceError.
        """
        prefix = f"dragonfly:{self._incident_store.place.environment}:"
        if not event.alert_key.startswith(prefix):
            return
        async with self._database.read(timeout_s=LOOKUP_S) as conn:
            key = event.alert_key.removeprefix(prefix)
            incident_id = await answers.find_incident_of_pager_alert(conn, alert_key=key)
            known = await answers.has_pager_event(conn, event_id=event.id)
        if incident_id is None or known:
            logger.info("pager event %s: %s", event.id, "received before" if known else "no incident has this alert")
            return
        user = event.assignee if event.action is PagerAction.REASSIGNED else event.by
        person = await self._person_of(user) if user else None
        async with self._database.transaction(timeout_s=TIMEOUT_S) as conn:
            await self._apply(conn, event, incident_id, person)
        self._incident_store.wake_ups.outbox.set()

    async def _apply(self, conn: Connection, event: PagerEvent, incident_id: int, person: Person | None) -> None:
        now = await incidents.lock_incident(conn, incident_id)
        incident = await incidents.read_incident(conn, incident_id)
        if now is None or incident is None or await answers.has_pager_event(conn, event_id=event.id):
            return
        history = await answers.read_pager_history(conn, incident_id=incident_id)
        ignored = why_ignored(event, incident, history, now)
        if ignored is not None:
            logger.info("pager event %s about incident %d is ignored: %s", event.id, incident_id, ignored)
            await answers.record_pager_event(conn, event, incident_id=incident_id, ignored=ignored)
            return
        owner = await self._act(conn, event, incident, person)
        await answers.record_pager_event(conn, event, incident_id=incident_id, owner=owner)
        await _audit(conn, event.action.value, incident, person, {"by": "pagerduty", "event": event.id})

    async def _act(self, conn: Connection, event: PagerEvent, incident: Incident, person: Person | None) -> str | None:
        """Apply the event; return the user id of the person whom it assigned."""
        store = self._incident_store
        match event.action:
            case PagerAction.RESOLVED if person is not None:
                await acts.resolve(store, conn, incident, person, f"resolved in {PAGERDUTY}")
            case PagerAction.UNACKNOWLEDGED:
                await paging.take_back(store, conn, incident, f"unacknowledged in {PAGERDUTY}")
            case PagerAction.REASSIGNED if person is not None and incident.state is IncidentState.OPEN:
                words = f"is paged by {PAGERDUTY} now"
                await store.record(conn, incident, "reassigned", words, by=person)
            case _ if person is not None:
                words = f"acknowledged it in {PAGERDUTY}; no one else is paged"
                if incident.acknowledged_by is not None:
                    words = f"was assigned in {PAGERDUTY}"
                await acts.acknowledge(store, conn, incident, person, words=words)
                return person.user_id
        return None

    async def _person_of(self, user: PagerUser) -> Person:
        """Match the user by e-mail address to one person in the on-call file; else use the name that PagerDuty has."""
        api, schedule, team = self._accounts.pagerduty, self._incident_store.place.schedule, self._accounts.team()
        if api is None or schedule is None or team is None:
            return outsider(PAGERDUTY, user.name)
        try:
            address = await api.read_email(user)
        except SourceError as error:
            logger.warning("%s is shown by the name in %s: %s", user.id, PAGERDUTY, error.why)
            return outsider(PAGERDUTY, user.name)
        target = self._accounts.emails.get(address.lower())
        found = [person for person in schedule.people.values() if target is not None and person.email == target]
        return Person(found[0].slack, team) if len(found) == 1 else outsider(PAGERDUTY, user.name)

    async def _paged_person(self, conn: Connection, link: PageLink, incident: Incident) -> Person:
        """Return the person for whom the page was, or one named after its target if that is not a single person's."""
        levels = decode_chain(incident.chain).levels
        pages = await incidents.list_pages(conn, incident.id)
        level = next((levels[one.level] for one in pages if one.number == link.page_number), None)
        slack_id, team = _slack_id(level, link) if level else None, self._accounts.team()
        return Person(slack_id, team) if slack_id and team else outsider(link.channel.words, link.target)

    async def _page(self, conn: Connection, link: PageLink, incident: Incident, person: Person) -> AnswerPage | None:
        is_mine = incident.acknowledged_by == person and incident.state is IncidentState.ACKNOWLEDGED
        if link.is_expired or (link.is_used and not is_mine):
            return None
        return AnswerPage(
            incident.id,
            summary(incident, await incident_alerts.list_joined_alerts(conn, incident.id)),
            self._stands(incident, is_mine=is_mine),
            is_asked=incident.state is IncidentState.OPEN,
            thread=message_link(self._accounts.workspace_url(), link.root_channel, link.root_ts),
        )

    def _stands(self, incident: Incident, *, is_mine: bool) -> str:
        match incident.state:
            case IncidentState.RESOLVED:
                return "It is resolved. No action is needed."
            case IncidentState.ACKNOWLEDGED if is_mine:
                return "You're assigned. No one else will be paged."
            case IncidentState.ACKNOWLEDGED:
                owner = incident.acknowledged_by
                who = self._incident_store.name_of(owner.user_id) if owner else "Somebody"
                return f"{who} is assigned. No action is needed."
            case IncidentState.OPEN:
                return "Once you acknowledge, no one else is paged."


def _slack_id(level: ChainLevel, link: PageLink) -> str | None:
    """Return the Slack id of the one person whom this target reaches; None if it is not a single person's."""
    names = {one.who for one in level.targets if (one.channel, one.address) == (link.channel, link.target)}
    ids = {one.address for one in level.targets if one.who in names and one.channel in _IN_SLACK}
    return ids.pop() if len(names) == 1 and len(ids) == 1 else None


async def _audit(
    conn: Connection, event: str, incident: Incident, person: Person | None, details: Mapping[str, object]
) -> None:
    shown = {"incident": incident.id, "team": person.team_id if person else None, **details}
    actor = person.user_id if person else PAGERDUTY.lower()
    await append_audit(conn, actor=actor, event=f"incident.{event}", run_id=None, details=shown)

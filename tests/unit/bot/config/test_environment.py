"""Settings, which are read from environment variables in groups."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from bot.config.behavior import PeopleSettings
from bot.config.connections import SlackSettings
from bot.config.environment import Settings, require
from bot.config.fields import Invalid
from services.clients.pagers.formats import Pager
from services.domain.environments import NAMES
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.domain.services import WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits

SLACK = {"SLACK_BOT_TOKEN": "xoxb-made-up", "SLACK_APP_TOKEN": "xapp-made-up"}
RAILWAY = {"RAILWAY_PROJECT_ID": "p1", "RAILWAY_ENVIRONMENT_ID": "e1"}


def test_slack_tokens_alone_are_enough_to_start() -> None:
    settings = Settings.from_environment(SLACK)

    slack = require(settings.slack)

    assert slack.uses_socket_mode
    assert slack.api_url == "https://slack.com/api/"
    assert slack.incidents_channel == "dragonfly-incidents"


def test_reports_everything_missing_at_once() -> None:
    settings = Settings.from_environment({})

    assert {fault.variable for fault in settings.faults} == {
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "SUPABASE_DB_URL",
        "RAILWAY_TOKEN",
        "RAILWAY_PROJECT_ID",
        "RAILWAY_ENVIRONMENT_ID",
        "DRAGONFLY_API_BASE",
        "ENVIRONMENT",
        "SUPABASE_MODE",
    }


def test_missing_group_is_refused_in_words_that_name_the_variable() -> None:
    with pytest.raises(OperatorError, match="SLACK_BOT_TOKEN is not set"):
        require(Settings.from_environment({}).slack)


def test_empty_value_counts_as_not_set() -> None:
    assert isinstance(Settings.from_environment({**SLACK, "SLACK_BOT_TOKEN": " "}).slack, Invalid)


def test_signing_secret_alone_means_http_mode() -> None:
    settings = Settings.from_environment({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "old, new"})

    slack = require(settings.slack)

    assert not slack.uses_socket_mode
    assert [secret.reveal() for secret in slack.signing_secrets] == ["old", "new"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SLACK_BOT_TOKEN", "hush-1"),
        ("SLACK_APP_TOKEN", "hush-1"),
        ("SLACK_API_URL", "hush-1"),
        ("SUPABASE_DB_URL", "mysql://hush-1"),
        ("DRAGONFLY_API_BASE", "http://[hush-1"),
        ("HEARTBEAT_STALE_AFTER_S", "hush-1"),
        ("HEARTBEAT_STALE_AFTER_S", "0"),
        ("DRAGONFLY_APPROVERS", "U0AA,hush-1"),
        ("ENVIRONMENT", "hush-1"),
        ("PORT", "hush-1"),
        ("PORT", "65536"),
    ],
)
def test_malformed_value_is_named_and_never_shown(variable: str, value: str) -> None:
    settings = Settings.from_environment({**SLACK, variable: value})

    [fault] = [fault for fault in settings.faults if fault.variable == variable]

    assert "hush-1" not in f"{fault} {settings.faults}"


def test_secrets_do_not_show_in_repr() -> None:
    settings = Settings.from_environment(
        {**SLACK, **RAILWAY, "RAILWAY_TOKEN": "hush-1", "SUPABASE_DB_URL": "postgresql://u:hush-1@h/d"}
    )

    assert "made-up" not in repr(settings)
    assert "hush-1" not in repr(settings)


def test_project_token_wins_over_bearer_token() -> None:
    both = Settings.from_environment({**RAILWAY, "RAILWAY_TOKEN": "t1", "RAILWAY_API_TOKEN": "t2"})
    bearer = Settings.from_environment({**RAILWAY, "RAILWAY_API_TOKEN": "t2"})

    assert (require(both.railway).token.reveal(), require(both.railway).token_kind.name) == ("t1", "PROJECT")
    assert (require(bearer.railway).token.reveal(), require(bearer.railway).token_kind.name) == ("t2", "BEARER")


def test_empty_people_means_no_one() -> None:
    people = require(Settings.from_environment({}).people)

    assert people == PeopleSettings(operators=(), approvers=())


def test_people_are_user_and_group_ids() -> None:
    people = require(Settings.from_environment({"DRAGONFLY_OPERATORS": "U0AA, S0BB,"}).people)

    assert people.operators == ("U0AA", "S0BB")


def test_stale_after_falls_back_when_malformed() -> None:
    default = StaleLimits(timedelta(minutes=5))

    assert Settings.from_environment({"HEARTBEAT_STALE_AFTER_S": "soon"}).stale_after == default
    assert Settings.from_environment({"HEARTBEAT_STALE_AFTER_S_INGEST": "soon"}).stale_after == default
    assert Settings.from_environment({"HEARTBEAT_STALE_AFTER_S": "45"}).stale_after == StaleLimits(
        timedelta(seconds=45)
    )


@pytest.mark.parametrize("worker_type", RUNBOOK.worker_types)
def test_a_worker_type_may_have_a_stale_limit_of_its_own(worker_type: WorkerType) -> None:
    variable = f"HEARTBEAT_STALE_AFTER_S_{RUNBOOK.services[1 + RUNBOOK.worker_types.index(worker_type)].short.upper()}"

    limits = Settings.from_environment({"HEARTBEAT_STALE_AFTER_S": "400", variable: "120"}).stale_after

    assert {kind: limits.of(kind).total_seconds() for kind in (*RUNBOOK.worker_types, "another")} == {
        **dict.fromkeys((*RUNBOOK.worker_types, "another"), 400),
        worker_type: 120,
    }


@pytest.mark.parametrize("worker_type", RUNBOOK.worker_types)
@pytest.mark.parametrize(("seconds", "is_refused"), [("74.9", True), ("75", False), ("86400", False), ("86401", True)])
def test_a_stale_limit_of_a_worker_type_leaves_room_for_its_heartbeats(
    worker_type: WorkerType, seconds: str, is_refused: bool
) -> None:
    variable = f"HEARTBEAT_STALE_AFTER_S_{RUNBOOK.services[1 + RUNBOOK.worker_types.index(worker_type)].short.upper()}"

    faults = [
        str(fault) for fault in Settings.from_environment({variable: seconds}).faults if fault.variable == variable
    ]

    assert bool(faults) is is_refused
    assert all("set seconds from 75 to 86400" in fault for fault in faults)


def test_a_stale_limit_that_is_too_short_reports_why() -> None:
    faults = Settings.from_environment({"HEARTBEAT_STALE_AFTER_S_INGEST": "30"}).faults

    [problem] = [fault.problem for fault in faults if fault.variable == "HEARTBEAT_STALE_AFTER_S_INGEST"]
    assert problem == "is less than 75 s: workers send a heartbeat every 30 s"


@pytest.mark.parametrize("name", NAMES)
def test_environment_may_be_any_of_the_list(name: str) -> None:
    assert Settings.from_environment({"ENVIRONMENT": name, "SUPABASE_MODE": name}).environment == name


def test_an_unknown_environment_is_refused_with_the_list() -> None:
    settings = Settings.from_environment({"ENVIRONMENT": "demo", "SUPABASE_MODE": "demo"})

    [environment, mode] = [fault for fault in settings.faults if fault.variable in ("ENVIRONMENT", "SUPABASE_MODE")]

    assert environment.problem == mode.problem == "is not dev, qa, staging or prod"
    assert environment.what_next == "set dev, qa, staging or prod"


def test_environment_is_unknown_when_malformed() -> None:
    assert Settings.from_environment({"ENVIRONMENT": "prod", "SUPABASE_MODE": "prod"}).environment == "prod"
    assert Settings.from_environment({"ENVIRONMENT": "production", "SUPABASE_MODE": "prod"}).environment is None


def test_leadership_moves_within_fifteen_seconds() -> None:
    leases = Settings.from_environment({}).leases

    assert leases.duration + leases.renew_every <= timedelta(seconds=15)


def test_groups_can_be_made_by_field_name() -> None:
    slack = SlackSettings.model_validate({"bot_token": "xoxb-1", "app_token": "xapp-1", "incidents_channel": "#ops"})

    assert slack.incidents_channel == "ops"


def test_each_suffix_is_a_target_of_its_own() -> None:
    settings = Settings.from_environment(
        {
            "PAGER_WEBHOOK_URL": "https://pager.example/all",
            "PAGER_ROUTING_KEY_ANN": "r" * 32,
            "PAGER_WEBHOOK_URL_ON_CALL": "https://events.eu.pagerduty.com/v2/enqueue",
            "PAGER_ROUTING_KEY_ON_CALL": "e" * 32,
        }
    )

    targets = require(settings.pager).targets

    assert set(targets) == {"default", "ann", "on-call"}
    assert targets["default"] == Pager(Secret("https://pager.example/all"))
    assert targets["ann"].url.reveal() == "https://events.pagerduty.com/v2/enqueue"
    assert targets["on-call"].url.reveal() == "https://events.eu.pagerduty.com/v2/enqueue"


def test_malformed_target_names_its_own_variable_and_not_its_value() -> None:
    settings = Settings.from_environment({"PAGER_WEBHOOK_URL_ANN": "hooks.example/secret", "PAGER_EMAIL_BOB": "bob"})

    [pager] = [fault for fault in settings.faults if fault.variable == "PAGER_WEBHOOK_URL_ANN"]
    [mail] = [fault for fault in settings.faults if fault.variable == "PAGER_EMAIL_BOB"]

    assert "not an http or https address" in pager.problem
    assert "https address that your pager gives you" in pager.what_next
    assert "secret" not in f"{pager}"
    assert mail.problem == "is not an e-mail address"


@pytest.mark.parametrize(
    "address", ["a@b, c@d", "Ann <ann@example.com>", "ann@example.com\r\nBcc: x@y", "älter@example.com"]
)
def test_an_address_is_one_plain_address(address: str) -> None:
    assert isinstance(Settings.from_environment({"PAGER_EMAIL": address}).mail, Invalid)


def test_an_email_target_needs_a_server_and_a_sender() -> None:
    settings = Settings.from_environment({"PAGER_EMAIL_ANN": "ann@example.com"})

    assert {"SMTP_URL", "SMTP_FROM"} <= {fault.variable for fault in settings.faults}


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "smtp://mail.example:99999", "mail.example:25"])
def test_settings_refuse_an_smtp_url_that_is_no_mail_server(url: str) -> None:
    settings = Settings.from_environment({"SMTP_URL": url, "SMTP_FROM": "bot@example.com"})

    assert isinstance(settings.mail, Invalid)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_vouches_for_no_one_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    settings = Settings.from_environment({"SMTP_CA_FILE": str(path)})

    assert [fault.variable for fault in settings.faults if "SMTP" in fault.variable] == ["SMTP_CA_FILE"]


def test_the_mail_servers_own_authority_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    given = {"SMTP_URL": "smtp://mail.example", "SMTP_FROM": "bot@example.com", "SMTP_CA_FILE": str(path)}

    assert require(Settings.from_environment(given).mail).ca_file == path


def test_pagers_and_mail_fail_apart() -> None:
    settings = Settings.from_environment({"PAGER_WEBHOOK_URL": "https://pager.example", "PAGER_EMAIL": "nobody"})

    assert isinstance(settings.mail, Invalid)
    assert "default" in require(settings.pager).targets


def test_monitor_is_an_address_that_is_never_shown() -> None:
    monitor = require(Settings.from_environment({"DEAD_MANS_SWITCH_URL": "https://hc-ping.example/uuid"}).monitor)

    assert monitor.url is not None
    assert "uuid" not in repr(monitor)


def test_a_calendars_address_is_a_secret_by_the_name_of_its_variable() -> None:
    settings = Settings.from_environment({"ONCALL_CALENDAR_URL_ON_CALL": "https://calendar.example/3f9a.ics"})

    assert not isinstance(settings.calendars, Invalid)
    assert settings.calendars.urls == {"on-call": Secret("https://calendar.example/3f9a.ics")}
    assert Secret("https://calendar.example/3f9a.ics") in settings.secrets
    assert "3f9a" not in repr(settings)


def test_a_calendar_with_an_address_that_can_t_be_fetched_is_refused_and_takes_no_one_off_call() -> None:
    for address, problem in {
        "http://calendar.example/3f9a.ics": "is not an https address",
        "https://calendar.example/3f9a\x01.ics": "is not an https address",
        "https://calendar.example/3f\n9a.ics": "is not an https address",
        "https://calendar..example/3f9a.ics": "names a host that can't exist",
        "https://xn--/3f9a.ics": "names a host that can't exist",
        f"https://{'a' * 64}.example/3f9a.ics": "names a host that can't exist",
    }.items():
        settings = Settings.from_environment({"ONCALL_CALENDAR_URL_A": address})

        assert not isinstance(settings.oncall, Invalid)
        [fault] = [fault for fault in settings.faults if fault.variable.startswith("ONCALL")]
        assert str(fault) == (
            f"ONCALL_CALENDAR_URL_A {problem}: copy the https address of the calendar in iCal form, or remove it"
        )
    for address in (f"https://{'a' * 63}.example/x", "https://kalender.münchen.example/x", "https://[2606:4700::1]/x"):
        assert not isinstance(Settings.from_environment({"ONCALL_CALENDAR_URL_A": address}).calendars, Invalid)

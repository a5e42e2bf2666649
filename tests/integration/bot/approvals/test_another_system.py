"""In a database that holds another system than the bot was installed for, no approval starts a run."""

from __future__ import annotations

import pytest

from services.clients.postgres.pool import Connection
from services.domain.errors import OperatorError
from services.domain.runs import RunState
from tests.integration.bot.approvals.conftest import ANN, OLIVIA, Books, MakeApprovalService, MakePlan, request


@pytest.mark.parametrize("approve", [True, False])
async def test_only_an_approval_is_refused(
    make_approval_service: MakeApprovalService,
    make_plan: MakePlan,
    books: Books,
    as_owner: Connection,
    approve: bool,
) -> None:
    listed = {"operators": (OLIVIA.user_id,), "approvers": (ANN.user_id,)}
    run = await make_approval_service(**listed).file(make_plan(), request(OLIVIA))
    await as_owner.execute("UPDATE chatops.installation SET system = 'civil'")
    await as_owner.execute(
        "INSERT INTO chatops.installation (environment, system) VALUES ('dev', 'civil') ON CONFLICT DO NOTHING"
    )
    replica = make_approval_service(**listed)

    if approve:
        with pytest.raises(OperatorError, match="Nothing was approved") as refused:
            await replica.decide(run.id, ANN, approve=True)
        assert "the system runbook" in refused.value.why
        assert "for civil" in refused.value.why
        assert (await books.run(run.id)).state is RunState.AWAITING_APPROVAL
    else:
        await replica.decide(run.id, ANN, approve=False, reason="no")
        assert (await books.run(run.id)).state is RunState.CANCELLED

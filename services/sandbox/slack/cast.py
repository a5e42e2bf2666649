"""Who is in the local workspace, and which channels it has."""

from services.sandbox.slack.model import Channel, Team, User, UserGroup

TEAM = Team("T0DRAGONFLY", "Dragonfly Civil", "dragonfly-civil")
APP_ID = "A0DRAGONFLY"
BOT_ID = "B0DRAGONFLY"

BOT = User("U0DRAGONFLY", "dragonfly", "Dragonfly", "Operations bot", is_bot=True)
OLIVIA = User("U0OLIVIA001", "olivia", "Olivia Park", "Operator")
ANN = User("U0ANN000001", "ann", "Ann Keller", "Approver")
BEN = User("U0BEN000001", "ben", "Ben Osei", "Approver")
OTTO = User("U0OTTO00001", "otto", "Otto Lind", "Outsider")
SLACKBOT = User("USLACKBOT", "slackbot", "Slackbot", is_bot=True)  # tells a person what went wrong
PEOPLE = (OLIVIA, ANN, BEN, OTTO)  # who one can be on the page, in this order

APPROVERS = UserGroup("S0APPROVERS", "dragonfly-approvers", "Dragonfly approvers", (ANN.id, BEN.id))
OPERATORS = UserGroup("S0OPERATORS", "dragonfly-operators", "Dragonfly operators", (OLIVIA.id, ANN.id, BEN.id))

INCIDENTS_ID = "C0INCIDENTS"
GENERAL_ID = "C0GENERAL01"


def new_channels() -> list[Channel]:
    everyone = [user.id for user in PEOPLE]
    return [
        Channel(INCIDENTS_ID, "dragonfly-incidents", [*everyone, BOT.id], "What is broken, and who is on it"),
        Channel(GENERAL_ID, "general", everyone, "Everything else"),
    ]

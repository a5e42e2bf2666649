"""The Web API's methods, by name."""

from collections.abc import Mapping

from services.sandbox.slack.methods import chat, conversations, files, people, reactions, views
from services.sandbox.slack.methods._contract import Method

METHODS: Mapping[str, Method] = {
    **chat.METHODS,
    **conversations.METHODS,
    **files.METHODS,
    **people.METHODS,
    **reactions.METHODS,
    **views.METHODS,
}

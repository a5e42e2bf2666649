"""The Web API's methods, by name."""

from collections.abc import Mapping

from services.sandbox.slack.methods import chat, files, people, views
from services.sandbox.slack.methods.method import Method

METHODS: Mapping[str, Method] = {
    **chat.METHODS,
    **people.CONVERSATIONS_METHODS,
    **files.METHODS,
    **people.METHODS,
    **chat.REACTIONS_METHODS,
    **views.METHODS,
}

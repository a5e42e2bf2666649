"""auth, apps, users and user groups: who is who, and how the app connects."""

from services.sandbox.slack import cast
from services.sandbox.slack.errors import ApiError
from services.sandbox.slack.methods._contract import Method, is_true, required
from services.sandbox.slack.model import Json
from services.sandbox.slack.workspace import Workspace


def auth_test(workspace: Workspace, _: Json) -> Json:
    team, bot = workspace.team, workspace.bot
    who = {"user": bot.name, "user_id": bot.id, "bot_id": cast.BOT_ID}
    return {"url": team.url, "team": team.name, "team_id": team.id, "is_enterprise_install": False, **who}


def api_test(_: Workspace, args: Json) -> Json:
    if args.get("error"):
        raise ApiError(str(args["error"]), args=args)
    return {"args": args}


def open_connection(workspace: Workspace, _: Json) -> Json:
    """A fresh WebSocket address, good for one connection."""
    host = workspace.base_url.replace("http", "ws", 1)
    return {"url": f"{host}/slack/link/?ticket={workspace.sockets.new_ticket()}&app_id={cast.APP_ID}"}


def user_info(workspace: Workspace, args: Json) -> Json:
    user = workspace.users.get(required(args, "user"))
    if user is None:
        raise ApiError("user_not_found")
    return {"user": user.to_slack(workspace.team)}


def list_users(workspace: Workspace, _: Json) -> Json:
    members = [user.to_slack(workspace.team) for user in workspace.users.values()]
    return {"members": members, "response_metadata": {"next_cursor": ""}}


def list_groups(workspace: Workspace, args: Json) -> Json:
    groups = [group.to_slack(workspace.team) for group in workspace.groups.values()]
    if not is_true(args.get("include_users")):
        for group in groups:
            del group["users"]
    return {"usergroups": groups}


def list_group_members(workspace: Workspace, args: Json) -> Json:
    group = workspace.groups.get(required(args, "usergroup"))
    if group is None:
        raise ApiError("no_such_subteam")
    return {"users": list(group.users)}


METHODS: dict[str, Method] = {
    "auth.test": auth_test,
    "api.test": api_test,
    "apps.connections.open": open_connection,
    "users.info": user_info,
    "users.list": list_users,
    "usergroups.list": list_groups,
    "usergroups.users.list": list_group_members,
}

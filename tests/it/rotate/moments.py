"""A Django site of several instances, each with settings of its own, over one database of users.

Reads moments as JSON: a moment is a list of the environments of instances that run at the same time. Tells what one of
them signed and another did not accept, and whether a session that began at the first moment lived to the end.
"""

import json
import sys

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="not yet",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.core.management import call_command
from django.test import Client
from django.test.utils import override_settings

urlpatterns = [path("", lambda request: HttpResponse(request.user.get_username() or "nobody"))]
call_command("migrate", verbosity=0)
USER = get_user_model().objects.create_user("ada", password="invented")


def instance(env):
    # As docs/rotations.md has it in settings.py.
    return override_settings(
        SECRET_KEY=env["SECRET_KEY"],
        SECRET_KEY_FALLBACKS=[key for key in env.get("SECRET_KEY_FALLBACKS", "").split(",") if key],
    )


def login(env):
    with instance(env):
        client = Client()
        client.force_login(USER)
        return client.cookies["sessionid"].value, default_token_generator.make_token(USER)


def visit(env, cookie):
    """Whether the session is known, and its cookie afterwards: a key that is on its way out signs no more."""
    with instance(env):
        client = Client()
        client.cookies["sessionid"] = cookie
        known = client.get("/").content == b"ada"
        return known, client.cookies["sessionid"].value


def accepts(env, signed):
    cookie, token = signed
    with instance(env):
        return visit(env, cookie)[0] and default_token_generator.check_token(USER, token)


moments = json.load(sys.stdin)
refused = [
    number
    for number, moment in enumerate(moments)
    if not all(accepts(reader, signed) for signed in map(login, moment) for reader in moment)
]
cookie, _ = login(moments[0][0])
carried = True
for moment in moments:
    known, cookie = visit(moment[0], cookie)
    carried = carried and known
json.dump({"version": django.get_version(), "refused": refused, "carried": carried}, sys.stdout)

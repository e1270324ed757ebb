"""Two OAuth clients that others wrote, from the login to the revocation, against a local Xero.

Arguments: its address, a client id and its secret, the id of a Custom Connection.
"""

import base64
import json
import sys
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError
from requests_oauthlib import OAuth2Session as OtherSession

there, client, secret, custom = sys.argv[1:]
where = requests.get(there + "/.well-known/openid-configuration").json()
token_url = where["token_endpoint"]
redirect = "http://localhost:8765/callback"


def refused(call, code):
    try:
        call()
    except OAuthError as error:
        assert error.error == code, error
    else:
        raise AssertionError(f"not refused: {code}")


def advance(seconds):
    assert requests.post(f"{there}/_ctl/advance?seconds={seconds}").ok


def session(method, scope="openid offline_access accounting.settings", **more):
    return OAuth2Session(client, secret, scope=scope, redirect_uri=redirect, token_endpoint_auth_method=method,
                         code_challenge_method="S256", **more)


for method in where["token_endpoint_auth_methods_supported"]:
    xero = session(method)
    verifier = "v" * 50
    address, state = xero.create_authorization_url(where["authorization_endpoint"], code_verifier=verifier, user="demo")
    back = requests.get(address, allow_redirects=False)
    assert back.status_code == 302 and back.headers["Location"].startswith(redirect + "?"), back.headers
    back = back.headers["Location"]
    assert parse_qs(urlsplit(back).query)["state"] == [state]

    # Without the verifier the code is worth nothing, and then it is gone.
    refused(lambda: xero.fetch_token(token_url, authorization_response=back, code_verifier="w" * 50), "invalid_grant")
    refused(lambda: xero.fetch_token(token_url, authorization_response=back, code_verifier=verifier), "invalid_grant")
    back = requests.get(address, allow_redirects=False).headers["Location"]
    first = dict(xero.fetch_token(token_url, authorization_response=back, code_verifier=verifier))
    assert first["expires_in"] == 1800 and first["token_type"] == "Bearer" and first["id_token"]

    payload = first["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["client_id"] == client and claims["exp"] - claims["nbf"] == 1800 and claims["xero_userid"], claims
    tenants = xero.get(there + "/connections")
    assert [one["tenantName"] for one in tenants.json()] == ["Acme", "Beta"]
    assert tenants.headers["Cache-Control"].startswith("no-store") and tenants.headers["Date"]

    second = xero.refresh_token(token_url, refresh_token=first["refresh_token"])
    again = xero.refresh_token(token_url, refresh_token=first["refresh_token"])
    assert len({first["refresh_token"], second["refresh_token"], again["refresh_token"]}) == 3
    advance(1801)
    assert xero.request("GET", there + "/connections", withhold_token=True).status_code == 401
    refused(lambda: xero.refresh_token(token_url, refresh_token=first["refresh_token"]), "invalid_grant")
    third = xero.refresh_token(token_url, refresh_token=second["refresh_token"])
    advance(59 * 86400)
    fourth = xero.refresh_token(token_url, refresh_token=third["refresh_token"])
    advance(60 * 86400 + 1)
    refused(lambda: xero.refresh_token(token_url, refresh_token=fourth["refresh_token"]), "invalid_grant")

# The other client, which sends what it is in the form.
back = requests.get(address, allow_redirects=False).headers["Location"]
token = session("client_secret_post").fetch_token(token_url, authorization_response=back, code_verifier=verifier)
other = OtherSession(client, token=dict(token))
newer = other.refresh_token(token_url, client_id=client, client_secret=secret)
assert newer["refresh_token"] != token["refresh_token"]
advance(1801)
try:
    other.refresh_token(token_url, refresh_token=token["refresh_token"], client_id=client, client_secret=secret)
    raise AssertionError("a token that is used up was taken")
except InvalidGrantError:
    pass

# Who is asked about first is the app.
wrong = OAuth2Session(client, "wrong", token_endpoint_auth_method="client_secret_post")
refused(lambda: wrong.refresh_token(token_url, refresh_token="whatever"), "invalid_client")
refused(lambda: session("client_secret_basic").fetch_token(token_url, grant_type="client_credentials"), "unauthorized_client")
alone = OAuth2Session(custom, secret, scope="accounting.settings")
assert "refresh_token" not in alone.fetch_token(token_url, grant_type="client_credentials")
greedy = OAuth2Session(custom, secret, scope="offline_access")
refused(lambda: greedy.fetch_token(token_url, grant_type="client_credentials"), "invalid_scope")

# Shapes.
said = lambda **request: requests.post(token_url, auth=(client, secret), **request).json()["error"]
assert said(json={"grant_type": "refresh_token"}) == "invalid_request"
form = {"Content-Type": "application/x-www-form-urlencoded"}
assert said(data='{"grant_type": "refresh_token"}', headers=form) == "unsupported_grant_type"
assert said(data={"grant_type": "refresh_token"}) == "invalid_request"
assert said(data={"grant_type": "refresh_token", "refresh_token": "never-given"}) == "invalid_grant"

# What a user takes back is gone with all connections.
live = session("client_secret_basic", token=dict(newer))
fresh = live.refresh_token(token_url, refresh_token=newer["refresh_token"])
assert live.revoke_token(where["revocation_endpoint"], fresh["refresh_token"]).ok
refused(lambda: live.refresh_token(token_url, refresh_token=fresh["refresh_token"]), "invalid_grant")
assert requests.get(there + "/connections", headers={"Authorization": "Bearer " + fresh["access_token"]}).json() == []
denied = requests.get(address + "&deny=1", allow_redirects=False).headers["Location"]
assert parse_qs(urlsplit(denied).query)["error"] == ["access_denied"]

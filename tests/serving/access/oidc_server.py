"""An OpenID Connect provider as a process of its own, made with Authlib's server side: discovery, keys and their
rotation, authorization code with PKCE, rotating refresh tokens, ID tokens, JWT access tokens (RFC 9068), and
back-channel logout.

Under `/control` a test says who signs in, rotates keys, signs odd tokens, and makes the provider slow or broken.
"""

from __future__ import annotations

import argparse
import os
import secrets
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from types import SimpleNamespace

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from flask import Flask, Response, jsonify, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT_ID = "tributary-web"
CLIENT_SECRET = "the-clients-secret"
AUDIENCE = "tributary-api"


class Client:
    """The one client of this provider."""

    client_id = CLIENT_ID
    id_token_signed_response_alg = "RS256"

    def __init__(self, redirect_uris):
        self.redirect_uris = redirect_uris

    def get_client_id(self):
        return CLIENT_ID

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret):
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_post"

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type in {"authorization_code", "refresh_token"}


class Code(SimpleNamespace):
    """An authorization code."""

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return self.nonce

    def get_auth_time(self):
        return int(time.time())

    def get_acr(self):
        return None

    def get_amr(self):
        return None


class RefreshToken(SimpleNamespace):
    """A refresh token; it works once."""

    def check_client(self, client):
        return client.get_client_id() == CLIENT_ID

    def get_scope(self):
        return self.scope

    def is_expired(self):
        return False

    def is_revoked(self):
        return False


@dataclass
class State:
    """What the provider knows, and how it behaves."""

    issuer: str
    keys: list = field(default_factory=lambda: [new_key()])
    user: dict = field(default_factory=lambda: {"sub": "ann"})
    redirect_uris: list = field(default_factory=list)
    codes: dict = field(default_factory=dict)
    refresh_tokens: dict = field(default_factory=dict)
    expires_in: int = 300
    delay_seconds: float = 0.0
    status: int = 0
    body: str = ""
    requests: dict = field(default_factory=dict)


def new_key():
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(8), "use": "sig", "alg": "RS256"})


def application(state: State) -> Flask:  # noqa: C901 - one route after the other
    app = Flask(__name__)
    stopping = threading.Event()

    def access_token(client, grant_type, user, scope):
        now = int(time.time())
        claims = {"iss": state.issuer, "aud": AUDIENCE, "iat": now, "exp": now + state.expires_in}
        return signed({"jti": secrets.token_hex(8), "client_id": CLIENT_ID, **claims, **user})

    def signed(claims, key=None, header=None):
        key = key or state.keys[-1]
        return jwt.encode({"alg": "RS256", "kid": key.kid, "typ": "at+jwt", **(header or {})}, claims, key)

    app.config["OAUTH2_ACCESS_TOKEN_GENERATOR"] = access_token
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = lambda **_: secrets.token_urlsafe(32)
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {
        "authorization_code": state.expires_in, "refresh_token": state.expires_in,
    }  # fmt: skip

    def save_token(token, oauth_request):
        # The server's own setting is read once, at its start.
        token["expires_in"] = state.expires_in
        if token.get("refresh_token"):
            kept = RefreshToken(user=oauth_request.user, scope=token.get("scope"), value=token["refresh_token"])
            state.refresh_tokens[token["refresh_token"]] = kept

    class CodeGrant(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)

        def save_authorization_code(self, code, oauth_request):
            data = oauth_request.payload.data
            state.codes[code] = Code(
                code=code,
                redirect_uri=oauth_request.payload.redirect_uri,
                scope=oauth_request.payload.scope,
                nonce=data.get("nonce"),
                code_challenge=data.get("code_challenge"),
                code_challenge_method=data.get("code_challenge_method"),
                user=oauth_request.user,
            )

        def query_authorization_code(self, code, client):
            return state.codes.get(code)

        def delete_authorization_code(self, authorization_code):
            state.codes.pop(authorization_code.code, None)

        def authenticate_user(self, authorization_code):
            return authorization_code.user

    class IdTokens(OpenIDCode):
        def exists_nonce(self, nonce, oauth_request):
            return False

        def resolve_client_private_key(self, client):
            return state.keys[-1]

        def get_client_claims(self, client):
            return {"iss": state.issuer}

        def generate_user_info(self, user, scope):
            return dict(user)

        def get_encode_header(self, client):
            return {"alg": "RS256", "kid": state.keys[-1].kid}

    class RefreshGrant(grants.RefreshTokenGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token):
            return state.refresh_tokens.get(refresh_token)

        def authenticate_user(self, credential):
            # As providers do: the claims are those of now, not those of the sign-in.
            return state.user if state.user["sub"] == credential.user["sub"] else None

        def revoke_old_credential(self, credential):
            state.refresh_tokens.pop(credential.value, None)

    def query_client(client_id):
        return Client(state.redirect_uris) if client_id == CLIENT_ID else None

    server = AuthorizationServer(app, query_client, save_token)
    server.register_grant(CodeGrant, [CodeChallenge(required=True), IdTokens(require_nonce=True)])
    server.register_grant(RefreshGrant, [IdTokens()])

    @app.before_request
    def misbehave():
        if request.path.startswith("/control"):
            return None
        state.requests[request.path] = state.requests.get(request.path, 0) + 1
        if state.delay_seconds:
            stopping.wait(state.delay_seconds)
        if state.status:
            return Response(state.body, state.status, content_type="application/json")
        return None

    @app.get("/.well-known/openid-configuration")
    def discovery():
        base = state.issuer
        return jsonify(
            issuer=base,
            authorization_endpoint=f"{base}/authorize",
            token_endpoint=f"{base}/token",
            jwks_uri=f"{base}/keys",
            end_session_endpoint=f"{base}/end",
            response_types_supported=["code"],
            subject_types_supported=["public"],
            id_token_signing_alg_values_supported=["RS256"],
            code_challenge_methods_supported=["S256"],
            backchannel_logout_supported=True,
            backchannel_logout_session_supported=True,
        )

    @app.get("/keys")
    def keys():
        return jsonify(keys=[key.as_dict(private=False) for key in state.keys])

    @app.get("/authorize")
    def authorize():
        user = dict(state.user)
        grant = server.get_consent_grant(end_user=user)
        return server.create_authorization_response(grant_user=user, grant=grant)

    @app.post("/token")
    def token():
        return server.create_token_response()

    @app.post("/control/set")
    def change():
        for name, value in request.json.items():
            setattr(state, name, value)
        return jsonify(state.requests)

    @app.post("/control/rotate")
    def rotate():
        state.keys = [new_key()] if request.json.get("withdraw") else [state.keys[-1], new_key()]
        return jsonify({})

    @app.post("/control/sign")
    def sign():
        asked = request.json
        now = int(time.time())
        claims = {"iss": state.issuer, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 300}
        claims |= asked.get("claims", {})
        for name in asked.get("without", []):
            del claims[name]
        key = new_key() if asked.get("foreign") else None
        header = asked.get("header", {})
        if asked.get("foreign") == "same-id":
            header = {"kid": state.keys[-1].kid, **header}
        return jsonify(token=signed(claims, key, header))

    @app.post("/control/logout")
    def logout():
        """Tell a client that a session has ended; `claims` are added to those of the token, or replace them."""
        asked = request.json
        now = int(time.time())
        claims = {"iss": state.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": secrets.token_hex(8)}
        claims |= {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}} | asked.get("claims", {})
        for name in asked.get("without", []):
            del claims[name]
        token = signed(claims, new_key() if asked.get("foreign") else None, {"typ": asked.get("typ", "logout+jwt")})
        form = urllib.parse.urlencode({"logout_token": token}).encode()
        try:
            with urllib.request.urlopen(asked["uri"], form, timeout=60) as response:
                return jsonify(status=response.status, token=token)
        except urllib.error.HTTPError as error:
            with error:
                return jsonify(status=error.code, token=token)

    return app


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    port = options.parse_args().port
    # Authlib refuses http without this; the provider listens on loopback.
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    state = State(f"http://127.0.0.1:{port}")
    make_server("127.0.0.1", port, application(state), threaded=True).serve_forever()


if __name__ == "__main__":
    main()

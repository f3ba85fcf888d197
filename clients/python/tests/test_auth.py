"""Logins, tokens that expire, callbacks."""

import asyncio
import base64
import concurrent.futures
import dataclasses
import hashlib
import hmac
import json
import socket
import threading
import time

import pytest
from conftest import SECRET, password

import kalam


def forged(token: str, **claims) -> str:
    """A token with other claims, signed as the server does."""
    head, body, _ = token.split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))) | claims
    body = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    mac = hmac.digest(SECRET.encode(), f"{head}.{body}".encode(), hashlib.sha256)
    return f"{head}.{body}." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


@pytest.fixture
def tokens(db) -> kalam.Tokens:
    return db.tokens


@pytest.fixture
def old(tokens) -> kalam.Tokens:
    """Tokens of which the access token has expired."""
    return dataclasses.replace(tokens, access=forged(tokens.access, iat=1, exp=int(time.time()) - 3600))


def test_forged_tokens_work(server, tokens):
    """So that the tests below fail for the time of expiry and nothing else."""
    with kalam.connect(server.url, token=forged(tokens.access)) as db:
        assert db.query("SELECT current_user()").scalar() == "alice"


def test_wrong_password(server):
    with pytest.raises(kalam.AuthenticationError) as raised:
        kalam.connect(server.url, user="nobody", password="wrong-password")
    assert (raised.value.status, raised.value.code) == (401, "unauthorized")


def test_tokens(server, tokens, old):
    with kalam.connect(server.url, token=tokens.access) as db:
        assert db.query("SELECT current_user()").scalar() == "alice"
    assert tokens.access not in repr(tokens) and tokens.user == "alice"
    with kalam.connect(server.url, token=old.access) as db, pytest.raises(kalam.AuthenticationError) as raised:
        db.query("SELECT 1")
    assert raised.value.code == "TOKEN_EXPIRED"
    with kalam.connect(server.url, token="a.b.c") as db, pytest.raises(kalam.AuthenticationError) as raised:
        db.query("SELECT 1")
    assert raised.value.code == "INVALID_CREDENTIALS"


def test_refresh_of_a_session(server, old):
    with kalam.connect(server.url, token=old) as db:
        assert db.query("SELECT current_user()").scalar() == "alice"
        assert db.tokens.access != old.access and db.tokens.refresh != old.refresh
    # The refresh token was used: there is no way to another.
    with kalam.connect(server.url, token=old) as db, pytest.raises(kalam.AuthenticationError) as raised:
        db.query("SELECT 1")
    assert raised.value.code == "TOKEN_EXPIRED"


def test_password_after_a_refresh_that_fails(server, old):
    with server.connect() as db:
        db._core.tokens = dataclasses.replace(old, refresh="x.y.z")
        assert db.query("SELECT current_user()").scalar() == "alice"


def test_many_threads_renew_once(server, old):
    calls = []

    def token():
        calls.append(1)
        return old.access if len(calls) == 1 else fresh

    with server.connect() as db:
        fresh = db.tokens.access
    with kalam.connect(server.url, token=token) as db, concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda i: db.query("SELECT $1", i).scalar(), range(50))) == list(range(50))
    assert len(calls) == 2


def test_callback_that_gives_what_has_expired(server, old):
    calls = []

    def token():
        calls.append(1)
        return old

    with kalam.connect(server.url, token=token) as db, pytest.raises(kalam.AuthenticationError):
        db.query("SELECT 1")
    assert len(calls) == 2  # Once for a request, not for ever.
    with pytest.raises(kalam.InterfaceError, match="callback"):
        kalam.connect(server.url, token=lambda: None)
    with pytest.raises(ZeroDivisionError):
        kalam.connect(server.url, token=lambda: 1 / 0)


def test_aio_tokens(server, old):
    calls = []

    async def token():
        calls.append(1)
        await asyncio.sleep(0)
        return old.access if len(calls) == 1 else fresh

    with server.connect() as db:
        fresh = db.tokens.access

    async def go():
        async with kalam.aio.connect(server.url, token=token) as db:
            got = await asyncio.gather(*(db.query("SELECT $1", i) for i in range(50)))
            assert [g.scalar() for g in got] == list(range(50)) and len(calls) == 2
        async with kalam.aio.connect(server.url, token=old) as db:
            assert (await db.query("SELECT current_user()")).scalar() == "alice"
        with pytest.raises(kalam.AuthenticationError):
            await kalam.aio.connect(server.url, user="nobody", password="wrong-password")

    asyncio.run(go())


def test_live_queries_renew(server, old, table):
    name = table()
    calls = []

    def token():
        calls.append(1)
        return old.access if len(calls) == 1 else fresh

    with server.connect() as db:
        fresh = db.tokens.access
        with kalam.connect(server.url, token=token) as other, other.live(f"SELECT * FROM {name}") as live:
            db.query(f"INSERT INTO {name} (id) VALUES (1)")
            assert live.get(30).row["id"] == 1
    assert len(calls) == 2
    with kalam.connect(server.url, token=old.access) as other, pytest.raises(kalam.AuthenticationError):
        other.live(f"SELECT * FROM {name}")


def test_tokens_that_end_end_live_queries(root, server, table):
    """A new password ends all tokens: who has it goes on, who had a token does not."""
    name = table()
    root.query("CREATE USER 'carol' WITH PASSWORD 'carol-password' ROLE user")
    with server.connect("carol") as carol, kalam.connect(server.url, token=carol.tokens.access) as other:
        live, ending = carol.live(f"SELECT * FROM {name}"), other.live(f"SELECT * FROM {name}")
        root.query("ALTER USER 'carol' SET PASSWORD 'carol-other-password'")
        object.__setattr__(carol._options, "password", "carol-other-password")
        with pytest.raises(kalam.AuthenticationError):
            ending.get(30)
        carol._core.tokens = None
        carol.query(f"INSERT INTO {name} (id) VALUES (1)")
        assert live.get(30).row["id"] == 1


def test_api_key_is_sent():
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with listener.accept()[0] as s:
                seen.append(s.recv(1 << 16))
                s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n{"status":"success","results":[]}')

        thread = threading.Thread(target=serve)
        thread.start()
        with kalam.connect(f"http://127.0.0.1:{listener.getsockname()[1]}", api_key="the-key", act_as="alice") as db:
            db.query("SELECT 1")
        thread.join()
    assert (
        b"X-Api-Key: the-key\r\n" in seen[0] and b"X-User-Id: alice\r\n" in seen[0] and b"Authorization" not in seen[0]
    )


def test_api_keys(server, root, table):
    name = table()
    made = root.query("CREATE API KEY 'of the python tests' FOR USER alice").first()
    with kalam.connect(server.url, api_key=made["api_key"]) as db, db.live(f"SELECT id FROM {name}") as live:
        assert db.query("SELECT current_user()").scalar() == "alice" and db.tokens is None
        db.query(f"INSERT INTO {name} (id) VALUES (1)")
        assert live.get(30).row["id"] == 1
        root.query(f"DROP API KEY '{made['key_id']}'")
        with pytest.raises(kalam.AuthenticationError):
            db.query("SELECT 1")
        with pytest.raises(kalam.AuthenticationError):
            live.get(30)


def test_passwords_do_not_show(server):
    with server.connect() as db:
        assert password("alice") not in repr(db._options)

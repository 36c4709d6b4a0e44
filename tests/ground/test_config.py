"""Where to connect and as whom."""

from __future__ import annotations

import pytest

from spnb.config import Credentials, Endpoints, credentials_from_environment
from spnb.errors import ConfigError


def test_regions_have_their_public_hosts() -> None:
    endpoints = Endpoints.of_region("eu")
    assert endpoints.rest == "https://apix.eu.amity.co"
    assert endpoints.upload == "https://upload.eu.amity.co"
    assert endpoints.mqtt == "wss://sse.eu.amity.co:443/mqtt"


def test_an_unknown_region_is_named_with_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"'mars'.*us, eu, sg"):
        Endpoints.of_region("mars")


def test_one_origin_serves_all_three() -> None:
    assert Endpoints.of_url("http://127.0.0.1:9000/") == Endpoints(
        "http://127.0.0.1:9000", "http://127.0.0.1:9000", "ws://127.0.0.1:9000/mqtt"
    )
    assert Endpoints.of_url("https://a.example/base").mqtt == "wss://a.example/base/mqtt"


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:80", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="no http"):
        Endpoints.of_url(url)


def test_an_empty_environment_names_no_service() -> None:
    assert credentials_from_environment({}) is None


def test_the_environment_names_a_service_and_a_user() -> None:
    found = credentials_from_environment(
        {
            "SOCIALPLUS_API_KEY": "k",
            "SOCIALPLUS_USER_ID": "ann",
            "SOCIALPLUS_REGION": "sg",
            "SOCIALPLUS_AUTH_TOKEN": "t",
        }
    )
    assert found is not None
    endpoints, credentials = found
    assert endpoints == Endpoints.of_region("sg")
    assert (credentials.api_key, credentials.user_id, credentials.auth_token) == ("k", "ann", "t")


def test_another_origin_may_be_named() -> None:
    found = credentials_from_environment(
        {"SOCIALPLUS_API_KEY": "k", "SOCIALPLUS_USER_ID": "ann", "SOCIALPLUS_URL": "http://localhost:1234"}
    )
    assert found is not None
    assert found[0].mqtt == "ws://localhost:1234/mqtt"


def test_a_key_without_a_user_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match="SOCIALPLUS_USER_ID"):
        credentials_from_environment({"SOCIALPLUS_API_KEY": "k"})


@pytest.mark.parametrize("named", ["environment", "argument"])
def test_the_key_may_come_from_the_keyring(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    import keyring
    from keyring.backend import KeyringBackend

    # Asked first: a backend that is already defined is found by the first search for one, and would stay.
    before = keyring.get_keyring()

    class Memory(KeyringBackend):
        priority = 1  # type: ignore[assignment]

        def get_password(self, service: str, username: str) -> str | None:
            return "from-keyring" if (service, username) == ("social.plus", "api-key") else None

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

    monkeypatch.delenv("SOCIALPLUS_API_KEY", raising=False)
    monkeypatch.delenv("SOCIALPLUS_USER_ID", raising=False)
    if named == "environment":
        monkeypatch.setenv("SOCIALPLUS_USER_ID", "ann")
    keyring.set_keyring(Memory())
    try:
        found = credentials_from_environment(user_id="ann" if named == "argument" else None)
    finally:
        keyring.set_keyring(before)
    assert found is not None
    assert (found[1].api_key, found[1].user_id) == ("from-keyring", "ann")


def test_credentials_hide_their_secrets() -> None:
    assert "verysecret" not in repr(Credentials(api_key="verysecret", user_id="a", auth_token="verysecret"))

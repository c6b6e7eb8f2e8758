"""Known answers, round trips, and everything that must not be readable."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from iotistic.model import jose
from iotistic.model.errors import InvalidField

# RFC 7516, appendix A.1: RSA-OAEP (SHA-1) and A256GCM.
A1_PLAINTEXT = b"The true sign of intelligence is not knowledge but imagination."
A1_TOKEN = (
    "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ."
    "OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGe"
    "ipsEdY3mx_etLbbWSrFr05kLzcSr4qKAq7YN7e9jwQRb23nfa6c9d-StnImGyFDb"
    "Sv04uVuxIp5Zms1gNxKKK2Da14B8S4rzVRltdYwam_lDp5XnZAYpQdb76FdIKLaV"
    "mqgfwX7XWRxv2322i-vDxRfqNzo_tETKzpVLzfiwQyeyPGLBIO56YJ7eObdv0je8"
    "1860ppamavo35UgoRdbYaBcoh9QcfylQr66oc6vFWXRcZ_ZT2LawVCWTIy3brGPi"
    "6UklfCpIMfIjf7iGdXKHzg.48V1_ALb6US04U3b."
    "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji"
    "SdiwkIr3ajwQzaBtQD_A.XFBoMYUZodetZdvTiFvSkQ"
)
SHORT_BITS = 1024
A1_N = (
    "oahUIoWw0K0usKNuOR6H4wkf4oBUXHTxRvgb48E-BVvxkeDNjbC4he8rUWcJoZmds2h7M70imEVhRU5djINXtqllX"
    "I4DFqcI1DgjT9LewND8MW2Krf3Spsk_ZkoFnilakGygTwpZ3uesH-PFABNIUYpOiN15dsQRkgr0vEhxN92i2asbOe"
    "nSZeyaxziK72UwxrrKoExv6kc5twXTq4h-QChLOln0_mtUZwfsRaMStPs6mS6XrgxnxbWhojf663tuEQueGC-FCMf"
    "ra36C9knDFGzKsNa7LZK2djYgyD3JR_MB_4NUJW_TqOQtwHYbxevoJArm-L5StowjzGy-_bq6Gw"
)
A1_D = (
    "kLdtIj6GbDks_ApCSTYQtelcNttlKiOyPzMrXHeI-yk1F7-kpDxY4-WY5NWV5KntaEeXS1j82E375xxhWMHXyvjYe"
    "cPT9fpwR_M9gV8n9Hrh2anTpTD93Dt62ypW3yDsJzBnTnrYu1iwWRgBKrEYY46qAZIrA2xAwnm2X7uGR1hghkqDp0"
    "Vqj3kbSCz1XyfCs6_LehBwtxHIyh8Ripy40p24moOAbgxVw3rxT_vlt3UVe4WO3JkJOzlpUf-KTVI2Ptgm-dARxTE"
    "tE-id-4OJr0h-K-VFs3VSndVTIznSxfyrj8ILL6MG_Uv8YAu7VILSB3lOW085-4qE3DzgrTjgyQ"
)


def number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")


@pytest.fixture(scope="module")
def a1_key() -> RSAPrivateKey:
    n, d = number(A1_N), number(A1_D)
    p, q = rsa.rsa_recover_prime_factors(n, 65537, d)
    return rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(65537, n),
    ).private_key()


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return jose.generate_private_key(2048)


@pytest.fixture(scope="module")
def other_key() -> RSAPrivateKey:
    return jose.generate_private_key(2048)


def by_hand(plaintext: bytes, key: RSAPublicKey, **header: object) -> str:
    """A JWE as another implementation would make it, from the primitives alone."""
    protected = _b64({"alg": "RSA-OAEP-256", "enc": "A256GCM"} | header)
    content_key, nonce = b"k" * 32, b"n" * 12
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    sealed = AESGCM(content_key).encrypt(nonce, plaintext, protected.encode())
    parts = [key.encrypt(content_key, oaep), nonce, sealed[:-16], sealed[-16:]]
    return ".".join([protected, *(_b64(part) for part in parts)])


def _b64(value: bytes | dict[str, object]) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_the_example_of_the_standard_decrypts(a1_key: RSAPrivateKey) -> None:
    assert jose.decrypt(A1_TOKEN, a1_key, algorithms=["RSA-OAEP"]) == A1_PLAINTEXT


def test_sha1_is_not_accepted_in_a_jwe_unless_asked_for(a1_key: RSAPrivateKey) -> None:
    with pytest.raises(jose.BadPayload):
        jose.decrypt(A1_TOKEN, a1_key)


def test_what_another_implementation_encrypts_can_be_read(key: RSAPrivateKey) -> None:
    assert jose.decrypt(by_hand(b"hello", key.public_key()), key) == b"hello"


def test_what_we_encrypt_has_the_form_of_the_standard(key: RSAPrivateKey) -> None:
    token = jose.encrypt(b"hello", key.public_key(), kid="k1")

    protected, wrapped, nonce, ciphertext, tag = token.split(".")
    header = json.loads(base64.urlsafe_b64decode(protected + "=="))
    assert header == {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "k1"}
    raw = [base64.urlsafe_b64decode(part + "==") for part in (wrapped, nonce, ciphertext, tag)]
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    opened = AESGCM(key.decrypt(raw[0], oaep)).decrypt(raw[1], raw[2] + raw[3], protected.encode())
    assert opened == b"hello"
    assert jose.token_key_id(token) == "k1"


@settings(max_examples=25, deadline=None)
@given(plaintext=st.binary(max_size=4000))
def test_any_bytes_come_back(key: RSAPrivateKey, plaintext: bytes) -> None:
    assert jose.decrypt_any(jose.encrypt(plaintext, key.public_key(), kid="k"), key) == plaintext


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_token_cannot_be_read(key: RSAPrivateKey, data: st.DataObject) -> None:
    token = jose.encrypt(b"hello", key.public_key(), kid="k")
    at = data.draw(st.integers(0, len(token) - 1))
    put = data.draw(st.characters(codec="utf-8"))
    changed = token[:at] + put + token[at + 1 :]
    try:
        # Unused bits at the end of a base64url part may differ without a meaning.
        assert jose.decrypt(changed, key) == b"hello"
        assert changed == token or at + 1 == len(token) or token[at + 1] == "."
    except jose.BadPayload:
        assert changed != token


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="nothing"),
        pytest.param("....", id="five empty parts"),
        pytest.param("a.b.c", id="three parts"),
        pytest.param("x" * 70_000 + "....", id="too long"),
        pytest.param(_b64(b"[]") + ".AA.AA.AA.AA", id="the header is a list"),
        pytest.param(_b64(b"[" * 3000) + ".AA.AA.AA.AA", id="the header is deep"),
        pytest.param(_b64({"alg": "dir", "enc": "A256GCM"}) + ".AA.AA.AA.AA", id="another alg"),
        pytest.param(_b64({"alg": ["RSA-OAEP-256"], "enc": "x"}) + ".AA.AA.AA.AA", id="alg a list"),
        pytest.param("ü.ü.ü.ü.ü", id="not ASCII"),
    ],
)
def test_what_is_no_token_is_a_bad_payload(key: RSAPrivateKey, token: str) -> None:
    with pytest.raises(jose.BadPayload):
        jose.decrypt(token, key)


@pytest.mark.parametrize("header", [{"zip": "DEF"}, {"crit": ["exp"]}, {"enc": "A128GCM"}])
def test_headers_that_change_the_meaning_are_refused(
    key: RSAPrivateKey, header: dict[str, object]
) -> None:
    with pytest.raises(jose.BadPayload):
        jose.decrypt(by_hand(b"hello", key.public_key(), **header), key)


def test_another_key_reads_nothing(key: RSAPrivateKey, other_key: RSAPrivateKey) -> None:
    with pytest.raises(jose.BadPayload):
        jose.decrypt(jose.encrypt(b"hello", key.public_key(), kid="k"), other_key)


@pytest.mark.parametrize("algorithm", [hashes.SHA1, hashes.SHA256], ids=["sha1", "sha256"])
def test_the_literal_cipher_is_read_with_either_hash(
    key: RSAPrivateKey, algorithm: type[hashes.SHA1 | hashes.SHA256]
) -> None:
    oaep = padding.OAEP(padding.MGF1(algorithm()), algorithm(), None)
    text = base64.b64encode(key.public_key().encrypt(b"hello", oaep)).decode()

    assert jose.decrypt_any(text, key) == b"hello"


@pytest.mark.parametrize("text", ["", "!!!", "AAAA", "A" * 70_000])
def test_what_is_no_ciphertext_is_a_bad_payload(key: RSAPrivateKey, text: str) -> None:
    with pytest.raises(jose.BadPayload):
        jose.decrypt_any(text, key)


def test_a_signature_holds_for_its_message_and_key_only(
    key: RSAPrivateKey, other_key: RSAPrivateKey
) -> None:
    signature = jose.sign("message", key)

    assert jose.verify("message", signature, key.public_key())
    assert not jose.verify("massage", signature, key.public_key())
    assert not jose.verify("message", signature, other_key.public_key())
    assert not jose.verify("message", "not base64!", key.public_key())
    assert not jose.verify("nöt ascii", signature, key.public_key())
    # And another implementation agrees.
    key.public_key().verify(
        base64.b64decode(signature),
        b"message",
        padding.PSS(padding.MGF1(hashes.SHA256()), 32),
        hashes.SHA256(),
    )


@pytest.mark.parametrize("form", [PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1])
def test_both_forms_of_a_public_key_have_one_id(key: RSAPrivateKey, form: PublicFormat) -> None:
    pem = key.public_key().public_bytes(Encoding.PEM, form).decode()

    loaded = jose.load_public_key(pem)

    assert jose.key_id(loaded) == jose.key_id(key.public_key())
    assert jose.public_pem(loaded).startswith("-----BEGIN PUBLIC KEY-----")


def test_a_private_key_survives_its_pem(key: RSAPrivateKey) -> None:
    again = jose.load_private_key(jose.private_pem(key))

    assert jose.key_id(again.public_key()) == jose.key_id(key.public_key())


def _pem(key: RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param("", id="nothing"),
        pytest.param("ü", id="not ASCII"),
        pytest.param("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", id="garbage"),
        pytest.param(_pem(ec.generate_private_key(ec.SECP256R1()).public_key()), id="not RSA"),
        pytest.param(
            _pem(rsa.generate_private_key(65537, SHORT_BITS).public_key()), id="too short"
        ),
        pytest.param(
            _pem(rsa.RSAPublicNumbers(2**1999 + 1, 2**2047 + 1).public_key()), id="huge exponent"
        ),
        pytest.param("A" * 10_000, id="too long"),
    ],
)
def test_other_public_keys_are_refused_with_the_field(pem: str) -> None:
    with pytest.raises(InvalidField) as refused:
        jose.load_public_key(pem, at="devicePublicKey")
    assert refused.value.path == "devicePublicKey"

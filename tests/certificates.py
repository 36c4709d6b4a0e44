"""A certificate that nobody knows but who is given it."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def write_certificate(path: Path, address: str = "127.0.0.1", *names: str) -> Path:
    """Write the key and the certificate of an address and names, which is its own authority, as PEM; the path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a house of its own")])
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    uses = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    uses |= dict.fromkeys(("crl_sign", "encipher_only", "decipher_only"), False)
    called = [x509.IPAddress(ipaddress.ip_address(address)), *(x509.DNSName(each) for each in names)]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
        .add_extension(x509.SubjectAlternativeName(called), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, **uses), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    return path


def fingerprint(path: Path) -> str:
    """Of the key of a certificate, as a Chromium is told whose certificate to believe."""
    key = x509.load_pem_x509_certificate(path.read_bytes()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_bytes(serialization.Encoding.DER, form)
    return base64.b64encode(hashlib.sha256(public).digest()).decode()

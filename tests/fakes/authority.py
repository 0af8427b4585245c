# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of servers on loopback, and the authority that signs them."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_HOST = "127.0.0.1"
_NO = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign")
_SIGNS = x509.KeyUsage(key_cert_sign=True, encipher_only=False, decipher_only=False, **dict.fromkeys(_NO, False))


@dataclass(frozen=True)
class Authority:
    """A certificate authority that lives as long as a test, and a server certificate of it for this machine."""

    ca_file: Path
    context: ssl.SSLContext


def make_authority(folder: Path, name: str, hosts: Sequence[str] = ()) -> Authority:
    """An authority nobody has heard of: whoever shall trust it must be told its ``ca_file``.

    ``hosts`` are names that the server has besides ``localhost``.
    """
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    names = map(x509.DNSName, ("localhost", *hosts))
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ip_address(_HOST)), *names])

    def certificate(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(ca_name, subject, public, x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))

    is_ca = x509.BasicConstraints(ca=True, path_length=0)
    # Newer versions of Python want to be told by which key a certificate was signed.
    known_as = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known_as)
    ca = certificate(ca_name, ca_key.public_key()).add_extension(is_ca, critical=True)
    ca = ca.add_extension(known_as, critical=False).add_extension(_SIGNS, critical=True)
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    own = certificate(own_name, key.public_key()).add_extension(alternatives, critical=False)
    own = own.add_extension(signed_by, critical=False)
    files = {
        "ca": ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        "server": own.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        "key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    }
    for part, content in files.items():
        (folder / f"{name}-{part}.pem").write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}-server.pem", folder / f"{name}-key.pem")
    return Authority(folder / f"{name}-ca.pem", context)

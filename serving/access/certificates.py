"""The certificate of both ports, TLS 1.3 only, read again when its files change."""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

# Certificates are renewed days before they end: soon enough is minutes, and a look at two files costs nothing.
RELOAD_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Pair:
    chain: bytes
    key: bytes


class Certificates:
    """A certificate chain and its key, for gRPC and HTTP. `run` watches the files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read the files.

        Raises:
            ValueError: they cannot be read, are not PEM, or do not belong together; it names the files.
        """
        self._files = (certificate, key)
        self._pair = _read(*self._files)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.load_cert_chain(*self._files)
        # What the last handshake of gRPC was given; it is told only of a change.
        self._given = self._pair

    @property
    def http_context(self) -> ssl.SSLContext:
        """The context of the HTTP port. A reload changes it for the handshakes that come."""
        return self._context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Return credentials that ask for the newest certificate at every handshake. That it is TLS 1.3, the package
        `serving` sees to."""
        # The stubs do not know that None says "as before".
        return grpc.dynamic_ssl_server_credentials(_configuration(self._pair), self._newest)  # type: ignore[arg-type]

    def reload(self) -> bool:
        """Take over changed files; True when they had changed. Files that do not fit are left alone until they do."""
        try:
            pair = _read(*self._files)
            if pair == self._pair:
                return False
            self._context.load_cert_chain(*self._files)
        except (ValueError, OSError) as error:
            log.warning("the certificate stays as it was: %s", error)
            return False
        self._pair = pair
        log.info("the certificate was read again")
        return True

    async def run(self) -> None:
        """Look for changed files until cancelled."""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            await asyncio.to_thread(self.reload)

    def _newest(self) -> grpc.ServerCertificateConfiguration | None:
        pair = self._pair
        if pair == self._given:
            return None
        self._given = pair
        return _configuration(pair)


def _configuration(pair: _Pair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)])


def _read(certificate: Path, key: Path) -> _Pair:
    try:
        pair = _Pair(certificate.read_bytes(), key.read_bytes())
        public = load_pem_x509_certificates(pair.chain)[0].public_key()
        private = load_pem_private_key(pair.key, None).public_key()
    except (OSError, ValueError, TypeError) as error:
        msg = f"cannot read {certificate} and {key}: {type(error).__name__}"
        raise ValueError(msg) from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*form) != private.public_bytes(*form):
        msg = f"{key} is not the key of {certificate}"
        raise ValueError(msg)
    return pair

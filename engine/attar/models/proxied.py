"""Requests through a proxy: aiohttp knows how; loaded only where the environment names one."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import aiohttp

from attar.models.connection import BadCertificate, Broken, CannotConnect, Response
from attar.models.http import CONNECT_SECONDS, KEEP_ALIVE


class ProxiedClient:
    """The process's aiohttp session. Fails like HttpClient does."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, ttl_dns_cache=300),
            trust_env=False,  # it would start a thread per request to look for proxies: see Route
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        await self._session.close()

    async def post(
        self, url: str, proxy: str, tls: ssl.SSLContext | None, headers: Mapping[str, str], data: bytes, seconds: float
    ) -> Response:
        """Sends a request and reads the answer.

        Raises:
            CannotConnect, BadCertificate, TimeoutError, Broken: as HttpClient.post.
        """
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._session.post(
                url,
                data=data,
                headers=headers,
                proxy=proxy,
                ssl=True if tls is None else tls,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                return Response(response.status, await response.read(), response.headers.get("Retry-After"))
        except aiohttp.ConnectionTimeoutError:
            raise CannotConnect("no answer") from None
        except TimeoutError:
            raise
        except aiohttp.ClientConnectorCertificateError:
            raise BadCertificate from None
        except aiohttp.ClientConnectorError as error:
            raise CannotConnect(type(error.os_error).__name__) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Broken(type(error).__name__) from None

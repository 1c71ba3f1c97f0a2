"""How many exchanges a second this machine could do if RSA were all there is: what the benchmark compares with."""

import multiprocessing
import time

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.protocol.signing import load_private_key

SIGNATURES_PER_EXCHANGE = 4
VERIFICATIONS_PER_EXCHANGE = 4
MESSAGE_BYTES = 700


def exchanges_per_second(seconds: float, cores: int) -> float:
    """Measure for about `seconds` with every core busy: cores / CPU seconds of 4 signatures and 4 verifications."""
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        costs = pool.map(_cpu_seconds_per_exchange, [seconds] * cores, chunksize=1)
    return cores / (sum(costs) / len(costs))


def _cpu_seconds_per_exchange(seconds: float) -> float:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    key = load_private_key(pem, "limit", "RS512")
    public, message = key.public(), bytes(MESSAGE_BYTES)
    begun, used, done = time.perf_counter(), time.thread_time(), 0
    while time.perf_counter() - begun < seconds:
        for _ in range(SIGNATURES_PER_EXCHANGE):
            signature = key.sign(message)
        for _ in range(VERIFICATIONS_PER_EXCHANGE):
            public.verify(message, signature)
        done += 1
    return (time.thread_time() - used) / done

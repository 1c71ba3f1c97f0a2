"""Attacks of a participant whom the node calls back: what it answers."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from ssl import SSLContext

from shared.protocol.signing import SigningKey
from tests.attack.good_client import GoodClient
from tests.attack.victim import ATTACKER, Victim
from tests.attack.wire import answered_with, ask, connect_tls
from tests.live.listener import Listener, showing
from tests.live.waiting import eventually

MIB = 2**20
SENDERS = 8


class _Answering(Listener):
    """Answers every callback with the same bytes."""

    answer = b""

    def __init__(self, shows: SSLContext, key: SigningKey) -> None:
        super().__init__(shows, key)
        self.answered: list[int] = []

    def _ack(self, body: bytes) -> bytes:
        self.answered.append(len(body))
        return self.answer


def oversized_answers(victim: Victim, _: float) -> Mapping[str, str]:
    """400 callbacks, each answered with 2 MiB; the limit is 1 MiB."""
    before = victim.memory_mib()
    good = _called_back(victim, 400, b"a" * (2 * MIB))[1]
    return {"growth of the node's memory": f"{victim.memory_mib() - before:.0f} MiB", "good ack, longest": good.longest}


def large_json_answers(victim: Victim, _: float) -> Mapping[str, str]:
    """80 callbacks, each answered with a complete JSON text of 1 MiB."""
    outcomes, good = _called_back(victim, 80, b'{"a":[' + b"1.0," * ((MIB - 40) // 4) + b"1.0]}")
    return {
        "messages answered with 503": f"{outcomes['answer 503']} of {outcomes.total()}",
        "good clients without a good answer": good.failed,
        "good ack, longest": good.longest,
    }


def _called_back(victim: Victim, messages: int, body: bytes) -> tuple[Counter[str], GoodClient]:
    """Send messages whose callbacks are answered with that body; what came of the messages, and of a good client's."""
    home, good = victim.pair.certs / ATTACKER, GoodClient(victim)
    shown = showing(home / "tls.pem", home / "tls.key", victim.pair.certs / "ca.pem")
    with _Answering(shown, victim.attacker_key) as listener:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        listener.answer = head.encode() + body
        victim.pair.lender.ops.amend(ATTACKER, base_url=listener.base_url)
        with good.calling(anew=True):
            with ThreadPoolExecutor(SENDERS) as senders:
                batches = senders.map(lambda _: _send(victim, messages // SENDERS), range(SENDERS))
                outcomes = Counter(outcome for batch in batches for outcome in batch)
            eventually(lambda: len(listener.answered) >= outcomes["answer 200"])
    return outcomes, good


def _send(victim: Victim, number: int) -> list[str]:
    with connect_tls(victim.address, victim.tls(ATTACKER)) as connection:
        return [answered_with(lambda: ask(connection, victim.message(ATTACKER))) for _ in range(number)]

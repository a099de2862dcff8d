"""What the link counts, under the names that ``/metrics`` shows."""

from qfleet_controlplane.metrics import Counter, Registry


class Counts:
    """Counters of messages both ways."""

    def __init__(self, registry: Registry) -> None:
        self.received: Counter = registry.counter(
            "qfleet_link_received_total", "Messages from the broker by what became of them", label="outcome"
        )
        self.rejected: Counter = registry.counter(
            "qfleet_link_rejected_total", "Messages that the door turned away by reason", label="reason"
        )
        self.handshakes: Counter = registry.counter(
            "qfleet_link_handshakes_total", "Handshakes by outcome", label="outcome"
        )
        self.mixed: Counter = registry.counter(
            "qfleet_link_keys_mixed_total",
            "Full handshakes by what they mixed in: a key of a key delivery, a pre-shared key, or none",
            label="key",
        )
        self.enrolments: Counter = registry.counter(
            "qfleet_link_enrolments_total", "Enrolment requests by outcome", label="outcome"
        )
        self.items: Counter = registry.counter(
            "qfleet_link_items_total", "Payloads by direction", label="direction"
        )
        self.results: Counter = registry.counter(
            "qfleet_link_results_total", "Results that came signed, also those that had come before"
        )
        self.sent: Counter = registry.counter("qfleet_link_sent_total", "Sealed messages published")
        self.dropped: Counter = registry.counter(
            "qfleet_link_dropped_total",
            "Payloads for devices dropped before sending, by reason",
            label="reason",
        )
        self.forwarded: Counter = registry.counter(
            "qfleet_link_forwarded_total",
            "Messages between devices by what became of them, never by what they hold",
            label="outcome",
        )
        self.returned: Counter = registry.counter(
            "qfleet_link_returned_total",
            "Messages of devices here that the controller of another region refused, by reason; of each pair "
            "of devices and moment the last one",
            label="reason",
        )
        self.keys: Counter = registry.counter(
            "qfleet_link_keys_total",
            "Orders that were sent to key processes, and what they said that was refused",
            label="what",
        )
        self.alarms: Counter = registry.counter(
            "qfleet_link_alarms_total",
            "Alarms by kind, also those over the rate of the audit log",
            label="kind",
        )

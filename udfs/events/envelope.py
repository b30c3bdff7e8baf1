"""The ten event types and their families."""

from enum import StrEnum


class Family(StrEnum):
    """What an event is about."""

    CAMPAIGN = "campaign"
    JOURNEY = "journey"
    PERSONALIZATION = "personalization"


class EventType(StrEnum):
    """Event type as written in the envelope. Its Avro record has the same name in PascalCase."""

    CAMPAIGN_LAUNCH = "campaign_launch"
    CAMPAIGN_OPTIMIZATION = "campaign_optimization"
    CAMPAIGN_TERMINATION = "campaign_termination"
    JOURNEY_START = "journey_start"
    TOUCHPOINT_INTERACTION = "touchpoint_interaction"
    CONVERSION_EVENT = "conversion_event"
    JOURNEY_STAGE_CHANGE = "journey_stage_change"
    PERSONALIZATION_TRIGGER = "personalization_trigger"
    CONTENT_OPTIMIZATION = "content_optimization"
    SEGMENT_UPDATE = "segment_update"

    @property
    def record_name(self) -> str:
        """Full name of the Avro record."""
        return RECORD_NAMESPACE + "." + "".join(word.capitalize() for word in self.value.split("_"))

    @property
    def family(self) -> Family:
        """Family the type belongs to."""
        return _FAMILIES[self]


RECORD_NAMESPACE = "tributary.events"

_FAMILIES = (
    dict.fromkeys(
        (EventType.CAMPAIGN_LAUNCH, EventType.CAMPAIGN_OPTIMIZATION, EventType.CAMPAIGN_TERMINATION), Family.CAMPAIGN
    )
    | dict.fromkeys(
        (
            EventType.JOURNEY_START,
            EventType.TOUCHPOINT_INTERACTION,
            EventType.CONVERSION_EVENT,
            EventType.JOURNEY_STAGE_CHANGE,
        ),
        Family.JOURNEY,
    )
    | dict.fromkeys(
        (EventType.PERSONALIZATION_TRIGGER, EventType.CONTENT_OPTIMIZATION, EventType.SEGMENT_UPDATE),
        Family.PERSONALIZATION,
    )
)

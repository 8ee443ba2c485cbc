"""What the registry counts."""

from prometheus_client import Counter, Gauge

REQUESTS = Counter(
    "snowcave_registry_requests_total", "Requests answered", ("method", "endpoint", "status")
)
RECEIVED = Counter("snowcave_registry_received_bytes_total", "Bytes of blobs received")
SENT = Counter("snowcave_registry_sent_bytes_total", "Bytes of blobs sent")
UPLOADS = Gauge("snowcave_registry_uploads", "Uploads whose bytes are being received")
CONNECTIONS = Gauge("snowcave_registry_connections", "Open client connections")
COLLECTED = Counter("snowcave_registry_collected_bytes_total", "Bytes of blobs collected")

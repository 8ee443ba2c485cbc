"""Everything that the event table takes, sent on to an OpenTelemetry collector where one is named."""

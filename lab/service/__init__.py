"""The lab service: campaigns, people and benches over HTTP. What it offers is in its OpenAPI document."""

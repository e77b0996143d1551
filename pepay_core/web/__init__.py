"""PePay over HTTP: the REST API, the hosted page, and what stands in front of both."""

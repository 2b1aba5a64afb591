"""Conformance of the embedded cloud, asked by clients that we did not write.

Every behaviour is a small function that drives boto3 over HTTP against one server; every answer
on the way is checked against botocore's own service model (see `checker`). Run it with
`python -m conformance --endpoint http://127.0.0.1:4566`.
"""

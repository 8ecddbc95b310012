"""What the server tells its operator: counts, Prometheus metrics and log lines.

Others use: counts, prometheus, request_log, log_setup, shared_counts.
"""

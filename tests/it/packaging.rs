//! What `packaging/` holds is what systemd, PIE, Composer, Prometheus and Grafana take.

mod alerts;
mod composer;
mod units;

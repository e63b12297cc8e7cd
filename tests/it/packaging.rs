//! What `packaging/` holds is what systemd takes.

mod units;

//! What `packaging/` holds is what systemd, PIE and Composer take.

mod composer;
mod units;

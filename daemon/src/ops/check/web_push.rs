//! The further root certificates for push services.

use super::Finding;
use crate::base::error_text::error_text;
use crate::config::Config;
use crate::web_push;

pub(super) fn check(config: &Config) -> Option<Finding> {
    let web_push = config.web_push.as_ref().filter(|web_push| web_push.ca.is_some())?;
    let what = "web_push.ca";
    Some(match web_push::check(web_push) {
        Ok(()) => Finding::fine(what, ""),
        Err(error) => Finding::wrong(what, error_text(&error)),
    })
}

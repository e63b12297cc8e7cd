//! An error and its causes as one text.

use std::error::Error;

/// The error, followed by its causes. A cause whose text is part of the text before it is not repeated.
pub(crate) fn error_text(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    for cause in causes.map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Caused {
        text: &'static str,
        source: Option<Box<Caused>>,
    }

    fn caused(texts: &[&'static str]) -> Caused {
        let (text, causes) = texts.split_first().unwrap();
        Caused { text, source: (!causes.is_empty()).then(|| Box::new(caused(causes))) }
    }

    #[test]
    fn causes_follow_and_are_not_repeated() {
        assert_eq!(error_text(&caused(&["cannot read a.pem", "not found"])), "cannot read a.pem: not found");
        assert_eq!(error_text(&caused(&["MySQL: gone", "gone", "os error 2"])), "MySQL: gone: os error 2");
    }
}

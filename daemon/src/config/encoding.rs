//! Characters in a database's address that mean something else than was written. Redis's address has a grammar
//! of its own, in `chatpush-wire`.

/// What has to be percent-encoded in a user name or password (RFC 3986 section 3.2.1), and how.
const ENCODE: &str = "in a user name or password write %40 for @, %3A for :, %2F for /, %23 for #, %3F for ?, \
                      %25 for %, %5B for [ and %5D for ]";

/// Refuses an address whose user name or password has to be percent-encoded and is not. Its parts would be
/// taken for host, path or fragment: `p@ss/w#rd` becomes the host `ss`.
///
/// # Errors
///
/// How the characters are written. The text holds no part of the address.
pub(super) fn check_encoding(text: &str) -> Result<(), String> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (path, query) = after.split_once('?').unwrap_or((after, ""));
    let user_info = authority.rsplit_once('@').map(|(user_info, _)| user_info);
    // Without an @ in front of the path, one behind it belongs to a password that was cut short.
    let cut_short = path.contains('@') || user_info.is_none() && query.contains('@');
    if cut_short || after.contains('#') || !is_percent_encoded(user_info.unwrap_or_default()) {
        return Err(ENCODE.to_owned());
    }
    Ok(())
}

/// Whether each `%` begins an encoded byte.
fn is_percent_encoded(text: &str) -> bool {
    let is_hexadecimal =
        |part: &str| part.get(..2).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.split('%').skip(1).all(is_hexadecimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_end_the_authority_are_refused() {
        for text in [
            "mysql://app:p@ss/w#rd@127.0.0.1/db",
            "mysql://app:pass/word@127.0.0.1/db",
            "mysql://app:12/word@127.0.0.1/db",
            "mysql://app:pass#word@127.0.0.1/db",
            "mysql://app:pass?word@127.0.0.1/db",
            "mysql://app:100%@127.0.0.1/db",
            "mysql://app:100%sure@127.0.0.1/db",
        ] {
            let refused = check_encoding(text).expect_err(text);
            assert!(refused.contains("%40 for @") && !refused.contains("127.0.0.1"), "{refused}");
        }
    }

    #[test]
    fn encoded_passwords_are_accepted() {
        for text in [
            "mysql://app:p%40ss%2Fw%23rd@127.0.0.1/db",
            "mysql://app:p@ss@127.0.0.1/db",
            "mysql://app@127.0.0.1/db?socket=/run/mysqld.sock",
            "mysql://app:p%C3%A4ss@[::1]:3306/db",
        ] {
            assert_eq!(check_encoding(text), Ok(()), "{text}");
        }
    }
}

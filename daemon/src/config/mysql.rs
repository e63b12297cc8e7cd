//! The application's database.

use chatpush_wire::id::UserIdType;
use mysql_async::{Opts, OptsBuilder};

use super::Names;
use super::encoding::check_encoding;
use super::history::History;
use super::names::{Identifier, Told};
use super::setting::Setting;
use super::source::Source;
use super::values;

/// Whether messages are stored, at the top of the file.
pub(super) const STORAGE: &[Setting] =
    &[Setting::choice("storage", &["mysql", "none"], "Where messages are stored").details(
        "`none`: push only, without a database. Pushes, `isOnline` and tokens work; calls that store or read \
         throw an `UnavailableException`, and no setting of `[mysql]` is read.",
    )];

pub(super) const SETTINGS: &[Setting] = &[Setting::required(
    "mysql.url",
    "mysql://user:password@127.0.0.1:3306/database",
    "The application's own MySQL or MariaDB database",
)
.details(
    "The form is `mysql://user:password@host:port/database`. Append `?socket=/path` for a Unix socket; \
     without it, even `localhost` is reached over TCP. Percent-encode reserved characters in user name and \
     password: `%40` for `@`, `%2F` for `/`.",
),
Setting::text("mysql.time_zone", "", "Time zone in which `send_time` is written and read").details(
    "An offset such as `+05:30`, or a name such as `Asia/Shanghai`, for which the server needs its tables of \
     time zones (`mysql_tzinfo_to_sql`). Empty: the server's, at the time of each statement.",
)];

/// The application's database and the names in it.
#[derive(Clone, Debug)]
pub struct Mysql {
    /// Server, account and database.
    pub opts: Opts,
    /// Its tables and columns.
    pub names: Names,
    /// How confirmed rows are marked; none if they are deleted.
    pub history: Option<History>,
    /// Values of further columns of new rows.
    pub values: Vec<(Identifier, String)>,
    /// The time zone of `send_time`; none for the server's.
    pub time_zone: Option<String>,
}

impl Mysql {
    pub(super) fn read(source: &mut Source, user_id_type: UserIdType, told: Told) -> Option<Self> {
        let opts = source.parse("mysql.url", url);
        let time_zone = source.parse("mysql.time_zone", time_zone);
        let names = Names::read(source, user_id_type, told);
        let history = History::read(source, names.as_ref());
        let values = values::read(source, names.as_ref());
        if let Some(History { column, .. }) = &history
            && values.iter().any(|(other, _)| other.bare().eq_ignore_ascii_case(column.bare()))
        {
            source.error("mysql.values", "has the column of [mysql.history]");
        }
        let time_zone = Some(time_zone?).filter(|zone| !zone.is_empty());
        Some(Self { opts: opts?, names: names?, history, values, time_zone })
    }
}

/// An offset from UTC or the name of a zone (MySQL manual, "MySQL Server Time Zone Support").
fn time_zone(text: &str) -> Result<String, String> {
    let is_name = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_/+-".contains(letter));
    let is_offset = text.split_at_checked(1).is_some_and(|(sign, offset)| {
        let parts = offset.split_once(':').map(|(hours, minutes)| (hours.parse::<u8>(), minutes));
        let minutes_fit =
            |minutes: &str| minutes.len() == 2 && minutes.parse::<u8>().is_ok_and(|minutes| minutes < 60);
        matches!(sign, "+" | "-") && matches!(parts, Some((Ok(0..=14), minutes)) if minutes_fit(minutes))
    });
    if text.is_empty() || is_name || is_offset {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} must be an offset such as +05:30 or a name such as Asia/Shanghai"))
}

fn url(text: &str) -> Result<Opts, String> {
    const FORM: &str = "must be mysql://user:password@host:3306/database[?socket=/path]";
    check_encoding(text)?;
    let opts = Opts::from_url(text).map_err(|error| format!("{FORM} ({error})"))?;
    if opts.db_name().is_none_or(str::is_empty) {
        return Err(format!("{FORM} (the database is missing)"));
    }
    // By default the driver leaves the host for the Unix socket that the server names. If the database is on
    // another machine, or behind a tunnel, that is the socket of another server.
    Ok(OptsBuilder::from_opts(opts).prefer_socket(false).into())
}

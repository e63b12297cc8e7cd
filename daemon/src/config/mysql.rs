//! The application's database.

use chatpush_wire::id::UserIdType;
use mysql_async::Opts;

use super::Names;
use super::encoding::check_encoding;
use super::setting::Setting;
use super::source::Source;

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
    "The form is `mysql://user:password@host:port/database`. Append `?socket=/path` for a Unix socket. \
     Percent-encode reserved characters in user name and password: `%40` for `@`, `%2F` for `/`.",
)];

/// The application's database and the names in it.
#[derive(Clone, Debug)]
pub struct Mysql {
    /// Server, account and database.
    pub opts: Opts,
    /// Its tables and columns.
    pub names: Names,
}

impl Mysql {
    pub(super) fn read(source: &mut Source, user_id_type: UserIdType) -> Option<Self> {
        let opts = source.parse("mysql.url", url);
        let names = Names::read(source, user_id_type);
        Some(Self { opts: opts?, names: names? })
    }
}

fn url(text: &str) -> Result<Opts, String> {
    const FORM: &str = "must be mysql://user:password@host:3306/database[?socket=/path]";
    check_encoding(text)?;
    let opts = Opts::from_url(text).map_err(|error| format!("{FORM} ({error})"))?;
    if opts.db_name().is_none_or(str::is_empty) {
        return Err(format!("{FORM} (the database is missing)"));
    }
    Ok(opts)
}

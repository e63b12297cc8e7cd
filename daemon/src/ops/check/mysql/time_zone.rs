//! The time zone of `send_time`.

use mysql_async::Conn;

use crate::config::Mysql;
use crate::ops::check::Finding;
use crate::store::{StoreError, tables};

pub(super) async fn check(connection: &mut Conn, mysql: &Mysql) -> Result<Vec<Finding>, StoreError> {
    let Some(zone) = &mysql.time_zone else { return Ok(Vec::new()) };
    let name = "time zone";
    match tables::use_time_zone(connection, mysql).await {
        Ok(()) => Ok(vec![Finding::fine(name, zone)]),
        Err(StoreError::Unfit(text)) => Ok(vec![Finding::wrong(name, text)]),
        Err(error) => Err(error),
    }
}

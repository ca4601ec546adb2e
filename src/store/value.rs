//! Between the values of the trade and the two column types of the tables.

use chrono::{DateTime, Utc};
use uuid::{NoContext, Timestamp, Uuid};

use super::StoreError;

/// An instant as the tables keep it: microseconds since 1970, UTC.
pub(super) fn micros(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}

/// And back.
pub(super) fn instant(micros: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| StoreError::corrupt(format!("{micros} microseconds is no instant")))
}

/// And back, where there may be none.
pub(super) fn later(micros: Option<i64>) -> Result<Option<DateTime<Utc>>, StoreError> {
    micros.map(instant).transpose()
}

/// A UUIDv7 that begins with this instant: the order of ids is the order of instants, whatever the machine's clock says.
pub(super) fn id_at(instant: DateTime<Utc>) -> String {
    let seconds = u64::try_from(instant.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(
        NoContext,
        seconds,
        instant.timestamp_subsec_nanos(),
    ))
    .to_string()
}

/// About how many bytes a change writes, so that a group ends before it becomes one huge commit.
pub(super) trait Weight {
    fn weight(&self) -> usize;
}

/// A count as the databases give it.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Cuts a list that was asked for with one row too many, and names the last one kept when there was more.
pub(super) fn page<T>(mut rows: Vec<T>, limit: u32, id: impl Fn(&T) -> &str) -> (Vec<T>, Option<String>) {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let cursor = if more {
        rows.last().map(|row| id(row).to_owned())
    } else {
        None
    };
    (rows, cursor)
}

/// Declares a row once: what diesel inserts and reads, and how PostgreSQL is handed many of them column by column.
///
/// The second half is why this is a macro: `INSERT … SELECT * FROM UNNEST($1, $2, …)` is one statement text for any number of rows, so it
/// is prepared once; diesel's multi-row `VALUES` has another text for every length and was measured at half the speed.
macro_rules! record {
    ($(#[$doc:meta])* $record:ident, many $many:ident, in $table:ident { $($field:ident: $rust:ty => $sql:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Insertable, Queryable, Selectable)]
        #[diesel(table_name = $table, treat_none_as_default_value = false)]
        pub(in crate::store) struct $record {
            $(pub(in crate::store) $field: $rust,)*
        }

        /// Many of them, column by column.
        pub(in crate::store) struct $many<'a> {
            $($field: Vec<&'a $rust>,)*
        }

        impl<'a> $many<'a> {
            pub(in crate::store) fn of(rows: impl Iterator<Item = &'a $record> + Clone) -> $many<'a> {
                $many { $($field: rows.clone().map(|row| &row.$field).collect(),)* }
            }

            /// The names of the columns, as an `INSERT` lists them.
            pub(in crate::store) fn columns() -> String {
                [$(stringify!($field)),*].join(", ")
            }

            /// `UNNEST($1, $2, …)` with all columns bound.
            pub(in crate::store) fn unnest<'b>(
                &'b self,
                out: &mut diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>,
            ) -> diesel::QueryResult<()> {
                use diesel::sql_types::*;
                let mut between = "UNNEST(";
                $(
                    out.push_sql(between);
                    out.push_bind_param::<Array<$sql>, Vec<&'a $rust>>(&self.$field)?;
                    between = ", ";
                )*
                let _ = between;
                out.push_sql(")");
                Ok(())
            }
        }
    };
}
pub(super) use record;

//! All published registrations in one file, sent portion by portion: a large registry fits in no body.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use futures_util::stream;

use super::{read, view};
use crate::registry::Registry;
use crate::registry::record::Registration;
use crate::web::operator::Problem;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/keys/export.json", Document::Partner, json),
        Route::get("/keys/export.csv", Document::Partner, csv),
    ]
}

const PORTION: usize = 500;

async fn json(doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    read::refresh(&doors).await?;
    let line = |one: &Registration, is_first: bool| {
        let separator = if is_first { "" } else { "," };
        format!("{separator}\n{}", view::public(one))
    };
    let body = portions(doors.registry.clone(), "{\"registrations\":[", line, "\n]}\n");
    Ok(HttpResponse::Ok().content_type("application/json").streaming(body))
}

async fn csv(doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    read::refresh(&doors).await?;
    let body = portions(doors.registry.clone(), HEADING, |one, _| row(one), "");
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .streaming(body))
}

const HEADING: &str =
    "id,state,fingerprint,curve,public_key,meter_serial,gateway_serial,evse_id,cpo,valid_from,valid_to\r\n";

fn row(one: &Registration) -> String {
    let end = one.valid_to.map(crate::ocpi::time::write).unwrap_or_default();
    let cells = [
        one.id.as_str(),
        one.state.as_str(),
        &one.fingerprint,
        &one.curve,
        &one.public_key,
        one.unit.meter_serial.as_deref().unwrap_or_default(),
        one.unit.gateway_serial.as_deref().unwrap_or_default(),
        &one.evse_id,
        &one.cpo,
        &crate::ocpi::time::write(one.valid_from),
        &end,
    ];
    cells.map(cell).join(",") + "\r\n"
}

/// RFC 4180, and no cell that a spreadsheet would take for a formula.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@']) {
        "'"
    } else {
        ""
    };
    if text.contains([',', '"', '\r', '\n']) || !guard.is_empty() {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

enum Next {
    Begin,
    After(String),
    Over,
}

fn portions(
    registry: Arc<Registry>,
    begin: &'static str,
    line: impl Fn(&Registration, bool) -> String + 'static,
    end: &'static str,
) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    let mut is_first = true;
    let mut place = Next::Begin;
    stream::iter(std::iter::from_fn(move || {
        let mut text = String::new();
        let after = match std::mem::replace(&mut place, Next::Over) {
            Next::Over => return None,
            Next::Begin => {
                text.push_str(begin);
                String::new()
            }
            Next::After(id) => id,
        };
        let index = registry.index();
        let mut last = None;
        for one in index.after(&after).take(PORTION).map(|one| one.now()) {
            if one.state.is_public() {
                text.push_str(&line(one, is_first));
                is_first = false;
            }
            last = Some(one.id.clone());
        }
        match last {
            Some(id) => place = Next::After(id),
            None => text.push_str(end),
        }
        Some(Ok(Bytes::from(text)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_is_never_a_formula() {
        assert_eq!(cell("1ABC"), "1ABC");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
    }
}

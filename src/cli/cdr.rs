//! `truewatt cdr`: how CDRs stand, over the operator API.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::NotDone;
use super::api::{Access, Common, text};
use crate::ocpi::url;

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// CDRs, newest first.
    List(List),
    /// One CDR with its verdicts and attempts.
    Show(OfCdr),
    /// Let a held CDR go to its eMSP.
    Release(OfCdr),
    /// Judge a CDR again with what is known now.
    Recheck(OfCdr),
    /// The proof of CDRs in one file, for transparency software.
    Export(Export),
}

#[derive(Debug, Args)]
struct List {
    /// Only with this verdict, for example INVALID.
    #[arg(long)]
    metering_status: Option<String>,
    /// Only with this delivery word, for example in_custody.
    #[arg(long)]
    delivery: Option<String>,
    /// Only of this CPO, as DE/ABC.
    #[arg(long)]
    cpo: Option<String>,
    /// Only for this eMSP, as NL/EMS.
    #[arg(long)]
    emsp: Option<String>,
    /// Only received at or after (RFC 3339).
    #[arg(long)]
    from: Option<String>,
    /// Only received before.
    #[arg(long)]
    to: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct OfCdr {
    /// The CDR, as DE/ABC/C-1.
    cdr: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Export {
    /// The CDRs, as DE/ABC/C-1; without any, all that the filters let through.
    #[arg(conflicts_with_all = ["cpo", "emsp", "from", "to"])]
    cdrs: Vec<String>,
    /// The form of the file.
    #[arg(long, value_parser = ["safe-xml", "chargy", "raw"], default_value = "safe-xml")]
    format: String,
    /// Only of this CPO, as DE/ABC.
    #[arg(long)]
    cpo: Option<String>,
    /// Only for this eMSP, as NL/EMS.
    #[arg(long)]
    emsp: Option<String>,
    /// Only received at or after (RFC 3339).
    #[arg(long)]
    from: Option<String>,
    /// Only received before.
    #[arg(long)]
    to: Option<String>,
    /// Where to write it; without it, to stdout.
    #[arg(long, short, value_name = "FILE")]
    output: Option<std::path::PathBuf>,
    #[command(flatten)]
    access: Access,
}

const CDRS: &str = "/operator/v1/cdrs";

pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    match arguments.action {
        Action::List(list) => self::list(list).await,
        Action::Show(one) => {
            let answer = one.common.access.open()?.get(&path(&one.cdr, None)?).await?;
            print(&answer, one.common.json);
            Ok(())
        }
        Action::Release(one) => change(one, "release").await,
        Action::Recheck(one) => change(one, "recheck").await,
        Action::Export(wish) => export(wish).await,
    }
}

/// The file as the hub writes it, octet for octet.
async fn export(wish: Export) -> Result<(), NotDone> {
    let name = |cdr: &String| cdr.replace('%', "%25").replace(',', "%2C");
    let names = (!wish.cdrs.is_empty()).then(|| wish.cdrs.iter().map(name).collect::<Vec<_>>().join(","));
    let parameters = [
        ("format", Some(wish.format)),
        ("cdrs", names),
        ("cpo", wish.cpo),
        ("emsp", wish.emsp),
        ("from", wish.from),
        ("to", wish.to),
    ];
    let mut query = ::url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    let path = url::with_query("/operator/v1/transparency", &query.finish());
    let file = wish.access.open()?.file(&path).await?;
    let count = |name: &str| file.header(name).unwrap_or("?").to_owned();
    let (sessions, without) = (count("truewatt-sessions"), count("truewatt-without-signed-values"));
    let unwritten = |error: std::io::Error| NotDone::failed(format!("the file cannot be written: {error}"));
    match &wish.output {
        Some(output) => std::fs::write(output, &file.body).map_err(unwritten)?,
        None => std::io::Write::write_all(&mut std::io::stdout(), &file.body).map_err(unwritten)?,
    }
    eprintln!("{sessions} sessions written, {without} CDRs have no signed values");
    Ok(())
}

async fn change(one: OfCdr, what: &str) -> Result<(), NotDone> {
    let answer = one
        .common
        .access
        .open()?
        .post(&path(&one.cdr, Some(what))?, None)
        .await?;
    print(&answer, one.common.json);
    Ok(())
}

async fn list(list: List) -> Result<(), NotDone> {
    let filters = [
        ("metering_status", list.metering_status),
        ("delivery", list.delivery),
        ("cpo", list.cpo),
        ("emsp", list.emsp),
        ("from", list.from),
        ("to", list.to),
    ];
    let mut query = ::url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in filters {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    let heading = ["CDR", "EMSP", "RECEIVED", "METERING", "BILLABLE", "DELIVERY"];
    let path = url::with_query(CDRS, &query.finish());
    list.common.list(&path, &heading, row).await
}

fn row(cdr: &Value) -> Vec<String> {
    let billable = if cdr["billable"] == true { "yes" } else { "no" };
    let rest = ["emsp", "received_at", "metering_status"].map(|name| text(cdr, name).to_owned());
    let mut row = vec![name_of(cdr)];
    row.extend(rest);
    row.extend([billable.to_owned(), text(cdr, "delivery").to_owned()]);
    row
}

fn name_of(cdr: &Value) -> String {
    format!(
        "{}/{}/{}",
        text(cdr, "country_code"),
        text(cdr, "party_id"),
        text(cdr, "id")
    )
}

fn path(cdr: &str, what: Option<&str>) -> Result<String, NotDone> {
    let segments: Vec<&str> = cdr.splitn(3, '/').collect();
    let [country_code, party_id, id] = segments.as_slice() else {
        return Err(NotDone::usage(
            "a CDR is written as country code, party id and id: DE/ABC/C-1",
        ));
    };
    let mut segments = vec![*country_code, *party_id, *id];
    segments.extend(what);
    Ok(url::join(CDRS, &segments))
}

fn print(cdr: &Value, as_json: bool) {
    if as_json {
        println!("{cdr}");
        return;
    }
    println!("cdr: {}", name_of(cdr));
    for name in ["emsp", "received_at", "visible_at", "metering_status", "delivery"] {
        println!("{name}: {}", text(cdr, name));
    }
    if let Some(report) = cdr["reports"].as_array().and_then(|reports| reports.last()) {
        for finding in report["findings"].as_array().into_iter().flatten() {
            let pointer = text(finding, "pointer");
            println!(
                "{} {} {pointer}: {}",
                text(finding, "severity"),
                text(finding, "code"),
                text(finding, "message")
            );
        }
    }
    for attempt in cdr["attempts"].as_array().into_iter().flatten() {
        println!("attempt {}: {}", text(attempt, "at"), text(attempt, "outcome"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_cdr_is_named_as_in_the_journal_and_its_id_may_hold_anything() {
        assert_eq!(path("DE/ABC/C-1", None).unwrap(), "/operator/v1/cdrs/DE/ABC/C-1");
        assert_eq!(
            path("DE/ABC/a/b c", Some("release")).unwrap(),
            "/operator/v1/cdrs/DE/ABC/a%2Fb%20c/release"
        );
        assert!(path("DE/ABC", None).is_err());
    }
}

//! A session of 2.5 kB from one party to another: PUT, and GET of one object. Sent = answered = received, none twice, and everything
//! arrived as it was sent: octets, path, query, who speaks to whom.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chrono::SubsecRound;
use serde_json::json;

use super::door::{Answers, Door};
use super::floor::Floor;
use super::hub::{a_party, a_run, headers_of, plain, with_ids};
use super::load::Shot;
use super::report::{Books, Report};
use super::rounds::{Batches, Round, Rounds, Sent, WARM_UP, one_round};
use super::tally::{Tally, number_of};
use super::template::{HOLE, Template};
use super::{Bench, TAKEN, database_word};
use crate::cli::NotDone;
use crate::clock::{Clock, SystemClock};
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::url;
use crate::sandbox::wire::{self, Request};
use crate::sandbox::{Draft, Plan};

/// Requests per round, where nothing else is said.
const REQUESTS: u32 = 4000;
/// Where sessions are received: nobody can guess it, and it has a query of its own (U-01, U-04).
const ENDPOINT: &str = "/larch/in";
const QUERY: &str = "tenant=7";

/// Runs the rounds.
pub(super) async fn measure(bench: &Bench<'_>) -> Result<Report, NotDone> {
    let requests = bench.arguments.requests.unwrap_or(REQUESTS) as usize;
    let (rounds, connections) = (bench.rounds(), bench.connections());
    let mut hub = bench.hub(&[]).await?;
    let case = Arc::new(Case::new(a_party('C')?, a_party('E')?));
    let each = WARM_UP + rounds * requests;
    let mut targets = if bench.arguments.floor {
        vec![Target::new("floor", 0, each), Target::new("hub", 1, each)]
    } else {
        vec![Target::new("hub", 0, each)]
    };

    let receiver = Arc::new(Receiver {
        case: Arc::clone(&case),
        tally: Tally::new(targets.len() * 2 * each),
        gets: targets.iter().map(|target| target.gets.clone()).collect(),
    });
    let door = Door::open(receiver).await;
    let door = door.map_err(|error| NotDone::failed(format!("no receiver: {error}")))?;
    let cpo = hub
        .join(Plan::bare("Bench CPO", vec![(case.cpo.clone(), Role::Cpo)]))
        .await?;
    let plan = Plan::bare("Bench eMSP", vec![(case.emsp.clone(), Role::Emsp)]);
    let endpoint = door.url(&format!("{ENDPOINT}?{QUERY}"));
    let _emsp = hub
        .join(plan.served_at("sessions", InterfaceRole::Receiver, &endpoint))
        .await?;
    let floor = match bench.arguments.floor {
        true => Some(Floor::lay(bench.directory, "relay", &door.url(""), &[]).await?),
        false => None,
    };

    let listed = cpo.hub_endpoint("sessions", InterfaceRole::Receiver);
    let listed = listed.map_err(|error| NotDone::failed(error.to_string()))?;
    let headers = headers_of(&cpo, &case.cpo, &case.emsp);
    for target in &mut targets {
        let begin = match &floor {
            Some(floor) if target.what == "floor" => format!("http://{}{ENDPOINT}?{QUERY}", floor.address),
            _ => listed.clone(),
        };
        target.address = plain(&begin)?.0;
        target.load(&case, &begin, &headers, requests)?;
    }

    let (mut puts, mut gets) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        for method in ["PUT", "GET"] {
            // Floor first, hub second, floor again: whatever slows the machine meets both.
            for target in &mut targets {
                let usage = || match &floor {
                    Some(floor) if target.what == "floor" => floor.usage(),
                    _ => hub.usage(),
                };
                let (batches, into) = match method {
                    "PUT" => (&mut target.put_batches, &mut puts),
                    _ => (&mut target.get_batches, &mut gets),
                };
                let batch = batches.take();
                let one = one_round(target.what, round, &target.address, batch, connections, usage).await;
                into.extend(target.sent.enter(one));
            }
        }
    }
    hub.leave().await?;
    let books = targets.into_iter().map(|target| target.books(&door.answers().tally));
    Ok(report(bench, requests, &case, puts, gets, books.collect()))
}

fn report(
    bench: &Bench<'_>,
    requests: usize,
    case: &Case,
    puts: Vec<Round>,
    gets: Vec<Round>,
    books: Vec<Books>,
) -> Report {
    let size = case.session(&case.id(requests)).len();
    let heading = format!(
        "{requests} requests per round, a session of {size} octets each, {} connections, database {}, {} cores for everybody",
        bench.connections(),
        database_word(bench.arguments),
        bench.cores()
    );
    let rounds = |rounds| Rounds {
        unit: "request",
        rounds,
    };
    let (puts, gets) = (rounds(puts), rounds(gets));
    let mut figures = serde_json::Map::new();
    figures.insert("requests".to_owned(), json!(requests));
    figures.insert("octets".to_owned(), json!(size));
    figures.insert("put".to_owned(), json!(puts.figures()));
    figures.insert("get".to_owned(), json!(gets.figures()));
    bench.note(&mut figures);
    Report {
        heading,
        sections: vec![
            format!("PUT of a session\n{}", puts.table()),
            format!("GET of a session\n{}", gets.table()),
        ],
        figures,
        books,
    }
}

/// Who speaks to whom about what.
struct Case {
    cpo: PartyId,
    emsp: PartyId,
    run: String,
    template: Template,
}

impl Case {
    fn new(cpo: PartyId, emsp: PartyId) -> Case {
        let now = SystemClock.now().trunc_subsecs(0);
        let session = |periods: &str| {
            let session = Draft::session(&cpo, HOLE, "04A1B2C3D4", Some(&emsp), now);
            Template::of(&session.with("charging_periods", periods))
        };
        // A real session grows by its charging periods; this one has as many as make 2.5 kB.
        let begun = crate::ocpi::time::write(now);
        let period = format!(
            r#"{{"start_date_time":"{begun}","dimensions":[{{"type":"ENERGY","volume":0.10}},{{"type":"MAX_CURRENT","volume":16.0}}]}}"#
        );
        let mut periods = vec![period.as_str()];
        let list = |periods: &[&str]| format!("[{}]", periods.join(","));
        while session(&list(&periods)).fill(&["S-00000000-0000"]).len() < 2500 {
            periods.push(&period);
        }
        let template = session(&list(&periods));
        Case {
            cpo,
            emsp,
            run: a_run(),
            template,
        }
    }

    fn id(&self, number: usize) -> String {
        format!("S-{}-{number}", self.run)
    }

    fn session(&self, id: &str) -> String {
        self.template.fill(&[id])
    }

    /// What the receiver answers to a GET.
    fn answer(&self, id: &str) -> String {
        let session = self.session(id);
        format!(r#"{{"data":{session},"status_code":1000,"timestamp":"2026-01-01T00:00:00Z"}}"#)
    }
}

/// Somebody who carries: which requests are his.
struct Target {
    what: &'static str,
    address: String,
    puts: Range<usize>,
    gets: Range<usize>,
    put_batches: Batches,
    get_batches: Batches,
    sent: Sent,
}

impl Target {
    /// The target at this place, with so many requests of each method.
    fn new(what: &'static str, place: usize, each: usize) -> Target {
        let first = place * 2 * each;
        Target {
            what,
            address: String::new(),
            puts: first..first + each,
            gets: first + each..first + 2 * each,
            put_batches: Batches::new(Vec::new(), 1),
            get_batches: Batches::new(Vec::new(), 1),
            sent: Sent::default(),
        }
    }

    /// Makes all its requests, for the interface at `listed`.
    fn load(
        &mut self,
        case: &Case,
        listed: &str,
        headers: &[(String, String)],
        per_round: usize,
    ) -> Result<(), NotDone> {
        let shots = |method: &str, numbers: Range<usize>| -> Result<Vec<Shot>, NotDone> {
            let shot = |number| {
                let id = case.id(number);
                let owned = [case.cpo.country_code(), case.cpo.party_id(), &id];
                let (address, path) = plain(&url::join(listed, &owned))?;
                let headers = with_ids(headers, id.clone());
                let (body, answer) = match method {
                    "PUT" => (case.session(&id), TAKEN.to_owned()),
                    _ => (String::new(), case.answer(&id)),
                };
                Ok(Shot {
                    octets: wire::request(method, &path, &address, &headers, body.as_bytes()),
                    answer: Some(Bytes::from(answer)),
                })
            };
            numbers.map(shot).collect()
        };
        self.put_batches = Batches::new(shots("PUT", self.puts.clone())?, per_round);
        self.get_batches = Batches::new(shots("GET", self.gets.clone())?, per_round);
        Ok(())
    }

    fn books(self, tally: &Tally) -> Books {
        let numbers = self.puts.start..self.gets.end;
        Books::of(self.what, numbers.len())
            .all("answered", self.sent.answered)
            .all("received", tally.arrived(numbers.clone()))
            .none("twice", tally.twice(numbers))
            .none("strangers", tally.strangers())
            .none("spoilt", tally.spoilt())
            .refused(self.sent.first_refusal.or(tally.first_spoilt()))
    }
}

/// Takes sessions and gives them, and holds what arrives against what was sent.
struct Receiver {
    case: Arc<Case>,
    tally: Tally,
    /// The numbers that are asked for; all others are pushed.
    gets: Vec<Range<usize>>,
}

impl Answers for Receiver {
    async fn answer(&self, request: Request) -> Vec<u8> {
        let id = request.header("x-correlation-id").unwrap_or_default().to_owned();
        let number = number_of(&id);
        self.tally.arrive(number);
        if let Err(how) = self.check(&request, &id, number) {
            self.tally.spoil(how);
        }
        let said = match request.method.as_str() {
            "GET" => self.case.answer(&id),
            _ => TAKEN.to_owned(),
        };
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        wire::response(200, &headers, said.as_bytes())
    }
}

impl Receiver {
    fn check(&self, request: &Request, id: &str, number: Option<usize>) -> Result<(), &'static str> {
        let is_get = number.is_some_and(|number| self.gets.iter().any(|gets| gets.contains(&number)));
        if request.method != if is_get { "GET" } else { "PUT" } {
            return Err("another method");
        }
        let (cpo, emsp) = (&self.case.cpo, &self.case.emsp);
        let path = format!("{ENDPOINT}/{}/{}/{id}?{QUERY}", cpo.country_code(), cpo.party_id());
        if request.target != path {
            return Err("another path or query");
        }
        if !super::hub::is_between(request, cpo, emsp) {
            return Err("other routing headers, no token, or no message id");
        }
        let body_fits = if is_get {
            request.body.is_empty()
        } else {
            request.body == self.case.session(id).as_bytes()
        };
        if body_fits { Ok(()) } else { Err("other octets") }
    }
}

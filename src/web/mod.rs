//! The front door: from HTTP to the rooms and back. actix ends here.
//!
//! `ocpi/` is for parties, `partner/` for what OCPI does not offer them, `operator/` for the people who run the hub, `keys/` for everybody. Every
//! handler reads a request, asks one room, and writes the answer; what a failure becomes in HTTP is decided in [`error`] and
//! nowhere else. What happens before there is a request is [`doorstep`]'s, and who may not come in at all [`limits`]'.
//!
//! The rule everything follows from: **what is served is described**. [`routes`] is the one table of what exists; actix
//! registers from it, and `tests/openapi.rs` compares it with `openapi/*.yaml` in both directions. Start with [`routes`].
//!
//! Never here: a decision about a message, a database query, a redirect (D-02: clients drop bodies or Authorization).

pub mod doorstep;
pub mod error;
pub mod health;
pub mod keys;
pub mod limits;
pub mod metrics;
pub mod ocpi;
pub mod openapi;
pub mod operator;
pub mod pace;
pub mod partner;
pub mod passing;
pub mod reply;
pub mod route;
pub mod totals;

use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::Server;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::middleware::{NormalizePath, from_fn};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, Scope};

use crate::audit::Audit;
use crate::clock::SharedClock;
use crate::delivery::Delivery;
use crate::evidence::intake::Intake;
use crate::evidence::rechecks::Rechecks;
use crate::evidence::retention::Retention;
use crate::exchange::cdr::CdrExchange;
use crate::exchange::relay::Exchange;
use crate::parties::Parties;
use crate::profiles::Profiles;
use crate::registry::Registry;
use crate::store::Store;
pub use doorstep::Doorstep;
use doorstep::Line;
use operator::people::Operators;
pub use route::{Document, Route};

/// The rooms the handlers ask.
pub struct Doors {
    /// Who is connected.
    pub parties: Arc<Parties>,
    /// For the questions of health and of the operator's lists.
    pub store: Store,
    /// For the timestamps of answers.
    pub clock: SharedClock,
    /// Whom the operator API lets in.
    pub operators: Operators,
    /// Who changed what.
    pub audit: Arc<Audit>,
    /// What is removed when it is old.
    pub retention: Arc<Retention>,
    /// Which key belongs to which meter.
    pub registry: Arc<Registry>,
    /// Verdicts, release and re-check.
    pub intake: Arc<Intake>,
    /// Second looks that the registry asks for.
    pub rechecks: Arc<Rechecks>,
    /// The life of a posted CDR, and lists of them.
    pub exchange: Arc<CdrExchange>,
    /// The life of every other request to a functional module.
    pub hall: Arc<Exchange>,
    /// Who steers which session, and by which contract.
    pub profiles: Arc<Profiles>,
    /// What is owed.
    pub delivery: Arc<Delivery>,
    /// How often each address and each platform may ask at all.
    pub limits: limits::Limits,
    /// Who may read the numbers, and those that have to be counted.
    pub metrics: metrics::Metrics,
    /// How often each address may ask what everybody may.
    pub pace: pace::Pace<IpAddr>,
    /// How often each operator may submit or change registrations (PC-20).
    pub submissions: pace::Pace<String>,
    /// How many objects a page holds at most (`[paging]`).
    pub max_limit: u32,
    /// What TLS is spoken with, where it is; for the question of health.
    pub certificates: Option<Arc<doorstep::Certificates>>,
}

/// Everything that is served, in the order in which paths are tried.
#[must_use]
pub fn routes() -> Vec<Route> {
    let rooms = [
        ocpi::versions::routes(),
        ocpi::credentials::routes(),
        ocpi::hubclientinfo::routes(),
        ocpi::cdrs::routes(),
        ocpi::links::routes(),
        ocpi::callbacks::routes(),
        ocpi::modules::routes(),
        ocpi::custom::routes(),
        partner::cdrs::routes(),
        partner::reports::routes(),
        partner::registrations::routes(),
        partner::transparency::routes(),
        partner::waivers::routes(),
        partner::observations::routes(),
        partner::profiles::routes(),
        partner::conformity::routes(),
        operator::platforms::routes(),
        operator::parties::routes(),
        operator::agreements::routes(),
        operator::contracts::routes(),
        operator::controls::routes(),
        operator::keys::routes(),
        operator::extract::routes(),
        operator::cdrs::routes(),
        operator::transparency::routes(),
        operator::cases::routes(),
        operator::rechecks::routes(),
        operator::heard::routes(),
        operator::duties::routes(),
        operator::journal::routes(),
        operator::overview::routes(),
        operator::retention::routes(),
        operator::audit::routes(),
        keys::log::routes(),
        keys::compare::routes(),
        keys::export::routes(),
        keys::read::routes(),
        health::routes(),
        metrics::routes(),
        openapi::routes(),
    ];
    rooms.into_iter().flatten().collect()
}

/// Starts answering on a bound socket. The returned server runs when awaited and stops by its handle.
///
/// # Errors
/// When the socket cannot be used.
pub fn listen(doors: Doors, listener: TcpListener, doorstep: Doorstep) -> io::Result<Server> {
    let doors = Data::new(doors);
    let doorstep = Arc::new(doorstep);
    let server = Server::build()
        .shutdown_timeout(SHUTDOWN.as_secs())
        .disable_signals()
        .max_concurrent_connections(doorstep.most_connections());
    let stopping = server.graceful_shutdown_signal();
    let server = server.listen("truewatt", listener, move || {
        // U-05: with and without trailing slash, doubled slashes, and never a redirect.
        let app = App::new()
            .app_data(doors.clone())
            .configure(configure)
            .wrap(from_fn(limits::threshold::cross))
            .wrap(NormalizePath::trim());
        let app = app
            .into_factory()
            .map_err(|error: actix_web::Error| error.error_response());
        let stopping = stopping.clone();
        let (keep_alive, step) = (doorstep.keep_alive(), doorstep.clone());
        fn_service(move |stream| step.clone().receive(stream)).and_then(
            HttpService::build()
                .keep_alive(keep_alive)
                // Lines keep the time themselves, for every request and not only for the first.
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(LINGER)
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .on_connect_ext(|line: &Line, extensions| {
                    extensions.insert(line.presence());
                })
                .h1(map_config(app, |()| AppConfig::default())),
        )
    })?;
    Ok(server.run())
}

/// How long what a refused caller still sends is read and thrown away: so long the refusal has to reach it.
const LINGER: Duration = Duration::from_secs(1);

/// How long requests in flight may take to finish when the hub stops: as long as the longest relay.
const SHUTDOWN: Duration = Duration::from_secs(30);

/// Registers every route with the frame of its part of the house.
pub fn configure(app: &mut ServiceConfig) {
    app.service(
        served(Scope::new("/ocpi"), "/ocpi")
            .default_service(actix_web::web::to(ocpi::nothing_here))
            .wrap(from_fn(ocpi::frame)),
    );
    app.service(
        served(Scope::new("/operator"), "/operator")
            .default_service(actix_web::web::to(operator::nothing_here))
            .wrap(from_fn(operator::auth::operators_only)),
    );
    app.service(
        served(Scope::new("/keys"), "/keys")
            .default_service(actix_web::web::to(operator::nothing_here))
            .wrap(from_fn(keys::frame::frame)),
    );
    served_at_the_root(app);
    app.default_service(actix_web::web::to(operator::nothing_here));
}

/// Parts of the house with a frame of their own; the rest is registered at the root.
const FRAMED: [&str; 3] = ["/ocpi", "/operator", "/keys"];

fn served(mut scope: Scope, prefix: &str) -> Scope {
    for (path, routes) in route::by_path(routes()) {
        if let Some(rest) = route::below(&path, prefix) {
            let wrong_method = if prefix == "/ocpi" {
                ocpi::wrong_method
            } else {
                operator::wrong_method
            };
            scope = scope.service(route::resource(rest, &routes, wrong_method(route::allow(&routes))));
        }
    }
    scope
}

fn served_at_the_root(app: &mut ServiceConfig) {
    for (path, routes) in route::by_path(routes()) {
        if FRAMED.iter().all(|prefix| route::below(&path, prefix).is_none()) {
            app.service(route::resource(
                &path,
                &routes,
                operator::wrong_method(route::allow(&routes)),
            ));
        }
    }
}

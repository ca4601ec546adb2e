//! Everything this process logs, from the loudest level on: that of the hub, and of every library in it.

use std::sync::{Mutex, OnceLock};

use log::kv::{Error, Key, Value, VisitSource};

struct Ear;

static HEARD: Mutex<String> = Mutex::new(String::new());

/// Listens from now on.
pub fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        log::set_logger(&Ear).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        // As a crash would print it.
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            note(&panic.to_string());
            before(panic);
        }));
    });
}

/// All of it so far.
pub fn all() -> String {
    HEARD.lock().unwrap().clone()
}

fn note(line: &str) {
    let mut heard = HEARD.lock().unwrap();
    heard.push_str(line);
    heard.push('\n');
}

impl log::Log for Ear {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        struct Pairs(String);
        impl<'kvs> VisitSource<'kvs> for Pairs {
            fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
                self.0.push_str(&format!(" {key}={value}"));
                Ok(())
            }
        }
        let mut pairs = Pairs(String::new());
        let _ = record.key_values().visit(&mut pairs);
        note(&format!(
            "{} {} {}{}",
            record.level(),
            record.target(),
            record.args(),
            pairs.0
        ));
    }

    fn flush(&self) {}
}

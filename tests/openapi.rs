//! What is served is described, and what is described is served: `web::routes()` against `openapi/*.yaml`, both ways.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use truewatt::ocpi::modules::{Kind, MODULES};
use truewatt::web::{Document, routes};

const DESCRIBED: [(Document, &str); 3] = [
    (Document::Ocpi, include_str!("../openapi/ocpi.yaml")),
    (Document::Partner, include_str!("../openapi/partner.yaml")),
    (Document::Operator, include_str!("../openapi/operator.yaml")),
];

#[test]
fn what_is_served_is_described() {
    for (document, yaml) in DESCRIBED {
        let missing = served(document)
            .difference(&described(yaml))
            .cloned()
            .collect::<Vec<_>>();
        assert!(
            missing.is_empty(),
            "served and not described in {document:?}: {missing:?}"
        );
    }
}

#[test]
fn what_is_described_is_served() {
    for (document, yaml) in DESCRIBED {
        let missing = described(yaml)
            .difference(&served(document))
            .cloned()
            .collect::<Vec<_>>();
        assert!(
            missing.is_empty(),
            "described in {document:?} and not served: {missing:?}"
        );
    }
}

#[test]
fn what_the_version_details_list_is_served() {
    // V-05: a module that is not there is absent, not stubbed. And the other way round: nothing is served in secret.
    let served: BTreeSet<String> = served(Document::Ocpi).iter().map(|line| shape(line)).collect();
    for module in MODULES {
        for interface in module.interfaces {
            for route in interface.routes {
                let prefix = if module.kind == Kind::Discovery {
                    "/ocpi"
                } else {
                    "/ocpi/{version}"
                };
                let line = format!("{} {prefix}{}{}", route.method, interface.path, route.path);
                assert!(
                    served.contains(&shape(&line)),
                    "in the table of modules and not served: {line}"
                );
            }
        }
    }
}

#[test]
fn no_route_is_declared_twice() {
    let mut seen = BTreeSet::new();
    for route in routes() {
        assert!(
            seen.insert((shape(&route.path), route.method.to_string())),
            "{} {} twice",
            route.method,
            route.path
        );
    }
}

#[test]
fn every_operation_of_a_document_has_a_name_of_its_own() {
    for (document, yaml) in DESCRIBED {
        let names = yaml
            .lines()
            .filter_map(|line| line.trim().strip_prefix("operationId: "))
            .collect::<Vec<_>>();
        assert_eq!(
            names.len(),
            described(yaml).len(),
            "{document:?}: one operationId per operation"
        );
        assert_eq!(
            names.iter().collect::<BTreeSet<_>>().len(),
            names.len(),
            "{document:?}: {names:?}"
        );
    }
}

/// Without the names of parameters: two lines of the table may share one path.
fn shape(line: &str) -> String {
    let parts = line.split('/').map(
        |part| match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
            Some((_, rest)) => format!("{{}}{rest}"),
            None => part.to_owned(),
        },
    );
    parts.collect::<Vec<_>>().join("/")
}

fn served(document: Document) -> BTreeSet<String> {
    let routes = routes();
    let routes = routes.iter().filter(|route| route.document == document);
    routes.map(|route| format!("{} {}", route.method, route.path)).collect()
}

/// The operations of a document. It is written by hand in one form: paths indented by two, methods by four.
fn described(yaml: &str) -> BTreeSet<String> {
    let paths = yaml.lines().skip_while(|line| *line != "paths:").skip(1);
    let mut path = None;
    let mut operations = BTreeSet::new();
    for line in paths.take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let Some(name) = line.strip_suffix(':') else {
            continue;
        };
        if let Some(template) = name.strip_prefix("  ").filter(|name| name.starts_with('/')) {
            path = Some(template.to_owned());
        } else if let Some(method) = name.strip_prefix("    ").filter(|name| METHODS.contains(name)) {
            let path = path.as_deref().unwrap();
            assert!(
                operations.insert(format!("{} {path}", method.to_uppercase())),
                "{method} {path} twice"
            );
        }
    }
    assert!(
        !operations.is_empty(),
        "the document has paths in the form this test reads"
    );
    operations
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

//! The plan of the house as ARCHITECTURE.md draws it: floors, arrows, rooms beside, walls. Read here, judged in `rules`.

/// What the fenced block `rooms` of ARCHITECTURE.md says.
#[derive(Debug, Default)]
pub struct Plan {
    /// Roof first.
    pub floors: Vec<Vec<Room>>,
    /// Rooms of one floor of which the first may use the second.
    pub arrows: Vec<(String, String)>,
    pub beside: Vec<Beside>,
    pub walls: Vec<Wall>,
    /// A path from behind a wall that a room hands on under its own name, and the room.
    pub windows: Vec<(String, String)>,
    pub pure: Vec<Pure>,
}

#[derive(Debug)]
pub struct Room {
    pub name: String,
    /// Drawn, not built: nobody may use it, and its folder must not exist yet.
    pub later: bool,
}

/// A room on no floor: it uses what is listed, and only the listed ones use it.
#[derive(Debug)]
pub struct Beside {
    pub name: String,
    pub uses: Vec<String>,
    pub used_by: Vec<String>,
}

/// Paths that only some rooms may name. The room `tests` stands for everything under `#[cfg(test)]`.
#[derive(Debug)]
pub struct Wall {
    pub paths: Vec<String>,
    pub only: Vec<String>,
}

/// Rooms that may not name some paths, keywords or macros; their tests may.
#[derive(Debug)]
pub struct Pure {
    pub rooms: Vec<String>,
    pub never: Vec<String>,
}

impl Plan {
    /// Reads the block out of the whole document.
    pub fn in_document(document: &str) -> Result<Plan, String> {
        let (_, after) = document
            .split_once("\n```rooms\n")
            .ok_or("there is no block ```rooms")?;
        let (block, _) = after.split_once("\n```").ok_or("the block ```rooms has no end")?;
        Plan::read(block)
    }

    /// One statement a line; a line that starts with blanks continues the one before; `#` starts a remark.
    pub fn read(block: &str) -> Result<Plan, String> {
        let mut plan = Plan::default();
        for statement in statements(block) {
            plan.add(&statement).map_err(|why| format!("{why}: {statement}"))?;
        }
        plan.check()?;
        Ok(plan)
    }

    fn add(&mut self, statement: &str) -> Result<(), &'static str> {
        let (kind, rest) = statement.split_once(' ').ok_or("a statement is more than one word")?;
        match kind {
            "floor" => self.floors.push(words(rest).map(|word| Room::read(&word)).collect()),
            "arrow" => {
                let (from, to) = rest.split_once("->").ok_or("an arrow is drawn `a -> b`")?;
                self.arrows.push((from.trim().to_owned(), to.trim().to_owned()));
            }
            "beside" => {
                let (name, rest) = rest.split_once(": uses ").ok_or("`beside NAME: uses …; used by …`")?;
                let (uses, used_by) = rest
                    .split_once("; used by ")
                    .ok_or("`beside NAME: uses …; used by …`")?;
                self.beside.push(Beside {
                    name: name.trim().to_owned(),
                    uses: words(uses).collect(),
                    used_by: words(used_by).collect(),
                });
            }
            "wall" => {
                let (paths, only) = rest.split_once(": only ").ok_or("`wall PATHS: only ROOMS`")?;
                self.walls.push(Wall {
                    paths: words(paths).collect(),
                    only: words(only).collect(),
                });
            }
            "window" => {
                let (path, room) = rest.split_once(": in ").ok_or("`window PATH: in ROOM`")?;
                self.windows.push((path.trim().to_owned(), room.trim().to_owned()));
            }
            "pure" => {
                let (rooms, never) = rest.split_once(": never ").ok_or("`pure ROOMS: never PATHS`")?;
                self.pure.push(Pure {
                    rooms: words(rooms).collect(),
                    never: words(never).collect(),
                });
            }
            _ => return Err("a statement starts with floor, arrow, beside, wall, window or pure"),
        }
        Ok(())
    }

    /// A wall around a room that nobody has drawn would hold nothing back.
    fn check(&self) -> Result<(), String> {
        let mut names: Vec<&str> = self.rooms().map(|room| room.name.as_str()).collect();
        names.extend(self.beside.iter().map(|room| room.name.as_str()));
        let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
        if let Some((_, name)) = twice {
            return Err(format!("room `{name}` is drawn twice"));
        }

        let arrows = self.arrows.iter().flat_map(|(from, to)| [from, to]);
        let beside = self
            .beside
            .iter()
            .flat_map(|room| room.uses.iter().chain(&room.used_by));
        let walls = self
            .walls
            .iter()
            .flat_map(|wall| &wall.only)
            .filter(|name| *name != "tests");
        let pure = self.pure.iter().flat_map(|pure| &pure.rooms);
        match arrows
            .chain(beside)
            .chain(walls)
            .chain(pure)
            .find(|name| !names.contains(&name.as_str()))
        {
            Some(stranger) => Err(format!("room `{stranger}` is named but on no floor")),
            None => Ok(()),
        }
    }

    /// The rooms on floors, roof first.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.floors.iter().flatten()
    }

    /// Whether a room of that name is drawn at all.
    pub fn has(&self, name: &str) -> bool {
        self.rooms().any(|room| room.name == name) || self.beside.iter().any(|room| room.name == name)
    }

    /// May a line in `from` name something of `to`?
    pub fn allows(&self, from: &str, to: &str) -> bool {
        if from == to {
            return true;
        }
        if let Some(beside) = self.beside.iter().find(|room| room.name == from) {
            return beside.uses.iter().any(|used| used == to);
        }
        if let Some(beside) = self.beside.iter().find(|room| room.name == to) {
            return beside.used_by.iter().any(|user| user == from);
        }
        match (self.depth(from), self.depth(to)) {
            (Some(above), Some(below)) if above < below => true,
            (Some(same), Some(floor)) if same == floor => {
                self.arrows.iter().any(|(start, end)| start == from && end == to)
            }
            _ => false,
        }
    }

    /// How many floors below the roof a room lies.
    fn depth(&self, name: &str) -> Option<usize> {
        self.floors
            .iter()
            .position(|floor| floor.iter().any(|room| room.name == name))
    }
}

impl Room {
    fn read(word: &str) -> Room {
        match word.strip_suffix("(later)") {
            Some(name) => Room {
                name: name.to_owned(),
                later: true,
            },
            None => Room {
                name: word.to_owned(),
                later: false,
            },
        }
    }
}

fn statements(block: &str) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    for line in block.lines() {
        let line = line.split('#').next().unwrap_or_default().trim_end();
        if line.is_empty() {
            continue;
        }
        match statements.last_mut() {
            Some(last) if line.starts_with(' ') => *last = format!("{last} {}", line.trim_start()),
            _ => statements.push(line.to_owned()),
        }
    }
    statements
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().map(str::to_owned)
}

//! All configured stores, opened: which there are, which is the default, and which a URI belongs to.

use std::sync::Arc;

use crate::config::registry_options::{DEFAULT, GLANCE_STORE, STORE, TRANSFER};
use crate::config::{Config, OptionSpec, Options, Scope, foreign, nearest};
use crate::driver::{Registration, StoreContext};
use crate::drivers::{DRIVERS, named};
use crate::error::{Error, Kind, Result};
use crate::location::StorageUri;
use crate::log::{Level, Log};
use crate::secret::redact_text;
use crate::store::{Identity, Store};
use crate::transfer::Runtime;

const BACKEND_DEFAULTS: &str = "backend_defaults";
const SINGLE_MODE_GROUP: &str = "glance_store";

/// Groups with a meaning of their own, which no store can be called by.
const TAKEN_GROUPS: &[&str] = &["DEFAULT", SINGLE_MODE_GROUP, BACKEND_DEFAULTS];

/// A store that the calling service keeps for itself.
pub struct ReservedStore {
    pub id: String,
    pub driver: String,
}

/// All open stores, in the order of the configuration, the reserved ones last.
pub struct Registry {
    stores: Vec<Arc<Store>>,
    log: Arc<Log>,
}

/// A store to be opened.
struct Entry {
    id: String,
    registration: &'static Registration,
    /// The group with the store's options.
    group: String,
    is_reserved: bool,
    /// Whether the store is one of several, in multi-store mode.
    is_one_of_many: bool,
}

impl Registry {
    pub fn open(config: &Config, reserved: &[ReservedStore], log: Arc<Log>) -> Result<Self> {
        let default_group = config.resolve(&Scope::new(&["DEFAULT"]), &[DEFAULT])?;
        let own_group = config.resolve(&Scope::new(&[SINGLE_MODE_GROUP]), &[GLANCE_STORE])?;
        let several = default_group.dict("enabled_backends");
        let mut entries = match several.is_empty() {
            true => single_mode(&own_group)?,
            false => multi_mode(&default_group, several)?,
        };
        for store in reserved {
            entries.push(reserved_entry(store, &entries)?);
        }
        check_keys(config, &entries)?;
        let default = match several.is_empty() {
            true => default_scheme(&own_group, &entries)?,
            false => default_id(&own_group, &entries)?,
        };
        let runtime = Runtime::shared();
        let open = |entry: &Entry| open_store(config, &own_group, entry, default.as_deref(), &runtime, &log);
        let stores = entries.iter().map(open).collect::<Result<_>>()?;
        Ok(Registry { stores, log })
    }

    pub fn stores(&self) -> &[Arc<Store>] {
        &self.stores
    }

    /// The store called `id`, or the default store.
    pub fn position(&self, id: Option<&str>) -> Option<usize> {
        self.stores.iter().position(|store| match id {
            Some(id) => store.id() == id,
            None => store.identity().is_default,
        })
    }

    /// The store that a URI belongs to: the one that serves its scheme or, of several, the one that
    /// owns the longest part of its beginning.
    pub fn resolve(&self, uri: &str) -> Result<usize> {
        let uri = StorageUri::parse(uri)?;
        let serving: Vec<usize> =
            (0..self.stores.len()).filter(|i| self.stores[*i].serves(uri.scheme())).collect();
        match serving.as_slice() {
            [] => Err(self.unknown_scheme(uri.scheme())),
            [only] => Ok(*only),
            several => self.owner_among(several, &uri),
        }
    }

    fn owner_among(&self, candidates: &[usize], uri: &StorageUri) -> Result<usize> {
        let mut owner: Option<(usize, usize)> = None;
        let mut refusal = None;
        for index in candidates {
            // What means nothing to one store, such as the name of an account, may be known to another.
            let claim = self.stores[*index].claim(uri).unwrap_or_else(|error| {
                refusal.get_or_insert(error);
                None
            });
            // The first of equals: stores come in the order in which glance searches them.
            if let Some(claim) = claim
                && owner.is_none_or(|(best, _)| claim > best)
            {
                owner = Some((claim, *index));
            }
        }
        owner
            .map(|(_, index)| index)
            .ok_or_else(|| refusal.unwrap_or_else(|| self.unclaimed(uri, candidates)))
    }

    fn unknown_scheme(&self, scheme: &str) -> Error {
        let mut known: Vec<&str> = self.stores.iter().flat_map(|store| store.schemes()).copied().collect();
        known.sort_unstable();
        known.dedup();
        Error::new(
            Kind::UnknownScheme,
            format!("no store serves the scheme {scheme:?}; served are {}", known.join(", ")),
        )
    }

    fn unclaimed(&self, uri: &StorageUri, candidates: &[usize]) -> Error {
        let ids: Vec<&str> = candidates.iter().map(|index| self.stores[*index].id()).collect();
        let error = uri.bad(&format!("none of the stores {} holds such a location", ids.join(", ")));
        Error::new(Kind::UnknownStore, error.message())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.log.write(Level::Debug, "registry", format_args!("closed with {} stores", self.stores.len()));
    }
}

fn single_mode(own_group: &Options) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for name in own_group.list("stores").iter().filter(|name| !name.is_empty()) {
        let registration = match find_driver(name) {
            // The default names drivers that a build need not have.
            Err(_) if !own_group.is_set("stores") => continue,
            found => found.map_err(|reason| reason.of(own_group, "stores"))?,
        };
        if entries.iter().all(|entry| entry.id != registration.name) {
            entries.push(Entry {
                id: registration.name.to_owned(),
                registration,
                group: SINGLE_MODE_GROUP.to_owned(),
                is_reserved: false,
                is_one_of_many: false,
            });
        }
    }
    Ok(entries)
}

fn multi_mode(default_group: &Options, stores: &[(String, String)]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (id, driver) in stores {
        let registration =
            find_driver(driver).map_err(|reason| reason.of(default_group, "enabled_backends"))?;
        if let Some(twin) = entries.iter().find(|entry: &&Entry| is_same_group(&entry.id, id)) {
            let reason = format!(
                "the stores {:?} and {id:?} would share one group: names differ in more than case",
                twin.id
            );
            return Err(default_group.bad("enabled_backends", reason));
        }
        if is_taken(id) {
            let reason = format!("a store cannot be called {id:?}: that group has another meaning");
            return Err(default_group.bad("enabled_backends", reason));
        }
        entries.push(Entry {
            id: id.clone(),
            registration,
            group: id.clone(),
            is_reserved: false,
            is_one_of_many: true,
        });
    }
    Ok(entries)
}

fn is_taken(id: &str) -> bool {
    TAKEN_GROUPS.iter().any(|taken| is_same_group(taken, id))
}

/// Groups of a configuration do not differ by case.
fn is_same_group(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn reserved_entry(store: &ReservedStore, others: &[Entry]) -> Result<Entry> {
    let ReservedStore { id, driver } = store;
    let bad = |reason: String| Error::new(Kind::BadConfig, format!("the reserved store {id:?} {reason}"));
    if is_taken(id) {
        return Err(bad("has the name of a group with another meaning".into()));
    }
    if others.iter().any(|other| is_same_group(&other.id, id)) {
        return Err(bad("has the id of another store".into()));
    }
    let registration = find_driver(driver).map_err(|unknown| match unknown {
        UnknownDriver::NotBuilt(reason) => Error::new(Kind::DriverUnavailable, reason),
        UnknownDriver::Unheard(reason) => bad(format!("cannot be opened: {reason}")),
    })?;
    Ok(Entry { id: id.clone(), registration, group: id.clone(), is_reserved: true, is_one_of_many: true })
}

/// Why there is no driver of a name.
enum UnknownDriver {
    /// glance_store has it, this build has not.
    NotBuilt(String),
    Unheard(String),
}

impl UnknownDriver {
    fn of(self, options: &Options, option: &str) -> Error {
        match self {
            UnknownDriver::NotBuilt(reason) => {
                let error = options.bad(option, reason);
                Error::new(Kind::DriverUnavailable, error.message())
            }
            UnknownDriver::Unheard(reason) => options.bad(option, reason),
        }
    }
}

fn find_driver(name: &str) -> std::result::Result<&'static Registration, UnknownDriver> {
    if let Some(registration) = named(name) {
        return Ok(registration);
    }
    let known = || DRIVERS.iter().map(|driver| driver.name);
    let names: Vec<&str> = known().collect();
    if foreign::drivers().any(|driver| driver == name) {
        let reason = format!("this build has no driver {name:?}; it has {}", names.join(", "));
        return Err(UnknownDriver::NotBuilt(reason));
    }
    let advice = nearest(name, known().chain(foreign::drivers()));
    let advice = advice.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
    Err(UnknownDriver::Unheard(format!(
        "there is no driver {name:?}{advice} (drivers: {})",
        names.join(", ")
    )))
}

/// Every key in a group of ours must be known to some driver: deployments leave the options of drivers
/// in that they do not use, but a misspelt one must not go unnoticed.
fn check_keys(config: &Config, entries: &[Entry]) -> Result<()> {
    let drivers = DRIVERS.iter().flat_map(|driver| driver.options).copied();
    let known: Vec<&'static [OptionSpec]> = drivers.chain([TRANSFER]).collect();
    let known_with = |own: &'static [OptionSpec]| [&known[..], &[own]].concat();
    config.check_known(BACKEND_DEFAULTS, &known)?;
    config.check_known(SINGLE_MODE_GROUP, &[&known[..], &[GLANCE_STORE, STORE]].concat())?;
    let groups = entries.iter().filter(|entry| entry.group != SINGLE_MODE_GROUP);
    groups.into_iter().try_for_each(|entry| config.check_known(&entry.group, &known_with(STORE)))
}

/// In single-store mode the default is a scheme: the store that serves it.  None is named and the
/// usual one is not open: there is no default.
fn default_scheme(own_group: &Options, entries: &[Entry]) -> Result<Option<String>> {
    let scheme = own_group.str("default_store").unwrap_or_default();
    let serving =
        entries.iter().find(|entry| !entry.is_reserved && entry.registration.schemes.contains(&scheme));
    match serving {
        Some(entry) => Ok(Some(entry.id.clone())),
        None if own_group.is_set("default_store") => {
            Err(own_group.bad("default_store", "no open store serves that scheme: add its driver to stores"))
        }
        None => Ok(None),
    }
}

fn default_id(own_group: &Options, entries: &[Entry]) -> Result<Option<String>> {
    let Some(id) = own_group.str("default_backend").filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    if entries.iter().any(|entry| entry.id == id) {
        return Ok(Some(id.to_owned()));
    }
    let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    Err(own_group.bad("default_backend", format!("there is no such store; stores are {}", ids.join(", "))))
}

fn open_store(
    config: &Config,
    own_group: &Options,
    entry: &Entry,
    default: Option<&str>,
    runtime: &Arc<Runtime>,
    log: &Arc<Log>,
) -> Result<Arc<Store>> {
    let group = entry.group.as_str();
    let scope = match entry.is_one_of_many {
        true => Scope::new(&[group, BACKEND_DEFAULTS]),
        false => Scope::new(&[group]),
    };
    let options = config.resolve(&scope, &[entry.registration.options, &[TRANSFER, STORE]].concat())?;
    let weight = options.int("weight").unwrap_or_default();
    let identity = Identity {
        id: entry.id.clone(),
        description: options.str("store_description").unwrap_or_default().to_owned(),
        weight: i32::try_from(weight).map_err(|_| options.bad("weight", "does not fit into 32 bits"))?,
        is_default: default == Some(&entry.id),
        is_reserved: entry.is_reserved,
        is_named_in_metadata: entry.is_one_of_many,
    };
    let opened = (entry.registration.open)(StoreContext {
        id: &entry.id,
        is_reserved: entry.is_reserved,
        default_scheme: own_group.str("default_store").filter(|_| !entry.is_one_of_many),
        options: &options,
        runtime: runtime.clone(),
        log: log.clone(),
    });
    let mut opened = opened.map_err(|error| error.context(format!("open store {:?}", entry.id)))?;
    // It repeats values of the configuration, which may be URIs by mistake.
    opened.add_disabled = opened.add_disabled.map(|reason| redact_text(&reason).into_owned());
    if let Some(reason) = &opened.add_disabled {
        log.write(Level::Warn, "registry", format_args!("store {:?} takes no images: {reason}", entry.id));
    }
    let Some(memory) = options.int("transfer_memory") else {
        return Err(options.bad("transfer_memory", "needs a number of MiB"));
    };
    let transfer_memory = memory.unsigned_abs().saturating_mul(1 << 20);
    Ok(Arc::new(Store::new(
        identity,
        entry.registration,
        opened,
        transfer_memory,
        runtime.clone(),
        log.clone(),
    )))
}

//! The service on a real file, with a manual clock and engine threads that are stepped one at a
//! time, so that nothing happens but what the test lets happen.

mod backups;
mod clock;
mod model;
mod reads;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::*;
use crate::clock::ManualClock;
use crate::config::SigningKey;
use crate::engine::tests::receiver::Receiver;
use crate::engine::tests::script::{Act, Script};
use crate::engine::tests::steps::Steps;
use crate::store::{Blocking, OpenOptions, QuickRepair};
use crate::upstream::{self, Upstream};

/// 2026-05-11T12:00:00Z.
const START_MS: UnixMs = 1_778_500_800_000;
const SCRAPERS: [&str; 2] = ["chatgpt", "perplexity"];

/// One process, from its start to its end.
struct Life {
    service: Service,
    steps: Steps,
    store: Arc<Store>,
    directory: PathBuf,
}

/// What outlives a process.
struct World {
    life: Option<Life>,
    clock: (Clock, Arc<ManualClock>),
    settings: Arc<Settings>,
    script: Arc<Script>,
    receiver: Receiver,
    runtime: tokio::runtime::Runtime,
    kills: usize,
    directory: tempfile::TempDir,
}

impl World {
    /// A service with these lines in its settings, and a worker for each scraper.
    fn new(lines: &str) -> World {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.toml");
        let mut config = lines.to_owned() + "\n[upstreams.scripted]\nkind = \"practice\"\n";
        for scraper in SCRAPERS {
            config += &format!("[scrapers.{scraper}]\nupstreams = [\"scripted\"]\nworkers = 1\n");
        }
        std::fs::write(&file, config).unwrap();
        let mut settings = Settings::load_from(Some(&file), &BTreeMap::new()).unwrap();
        let key = SigningKey::parse(&SigningKey::text_of(&[7; 32]));
        settings.webhooks.keys = key.into_iter().collect();
        settings.webhooks.missing = None;
        settings.webhooks.allow_hosts = vec!["127.0.0.1".to_owned()];
        settings.webhooks.workers = 1;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut world = World {
            life: None,
            clock: Clock::manual(START_MS),
            settings: Arc::new(settings),
            script: Arc::default(),
            receiver: Receiver::start(),
            runtime,
            kills: 0,
            directory,
        };
        world.begin(world.directory.path().join("data-0"));
        world
    }

    fn begin(&mut self, directory: PathBuf) {
        let mut settings = Settings::clone(&self.settings);
        settings.store.path.clone_from(&directory);
        let clock = &self.clock.0;
        let store = Arc::new(
            Store::open(&OpenOptions {
                directory: directory.clone(),
                cache_bytes: 1 << 20,
                quick_repair: QuickRepair::Never,
                free_mib_min: 0,
                scrapers: SCRAPERS.map(str::to_owned).to_vec(),
                cache_entries_max: 100,
                cache_from_ms: clock.now_ms() - settings.cache.ttl_seconds * 1000,
                evidence_bytes_max: 1 << 20,
                shared: None,
            })
            .unwrap(),
        );
        let script: Arc<dyn Upstream> = self.script.clone();
        let injected = HashMap::from([("scripted".to_owned(), script)]);
        let upstreams = upstream::connect(
            &settings,
            &upstream::Local::new("http://127.0.0.1:9", "", &settings),
            injected,
            clock,
        )
        .unwrap();
        let settings = Arc::new(settings);
        let steps = Steps::start(store.clone(), upstreams, &settings, clock.clone());
        let service = Service::new(store.clone(), steps.engine.clone(), settings, clock.clone());
        self.life = Some(Life { service, steps, store, directory });
    }

    fn life(&self) -> &Life {
        self.life.as_ref().unwrap()
    }

    fn service(&self) -> &Service {
        &self.life().service
    }

    fn now_ms(&self) -> UnixMs {
        self.clock.0.now_ms()
    }

    /// Stops the process in order and starts another one.
    fn restart(&mut self) {
        let directory = self.end();
        self.begin(directory);
    }

    /// Stops the process in order; gives its directory. The upstream says nothing meanwhile.
    fn end(&mut self) -> PathBuf {
        let life = self.life.take().unwrap();
        self.script.hang(true);
        life.service.begin_stop();
        life.steps.stop();
        life.store.close();
        self.script.hang(false);
        life.directory
    }

    /// The process dies, and another one starts on what the file holds at this moment.
    fn kill(&mut self) {
        let life = self.life.take().unwrap();
        self.kills += 1;
        let after = self.directory.path().join(format!("data-{}", self.kills));
        std::fs::create_dir(&after).unwrap();
        let file = "answerd.redb";
        std::fs::copy(life.directory.join(file), after.join(file)).unwrap();
        life.steps.kill();
        life.store.close();
        self.begin(after);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(life) = self.life.take() {
            life.steps.kill();
            life.store.close();
        }
    }
}

//! The application: what the handlers share, and the routes behind the guard.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use tokio::sync::watch;
use utoipa_actix_web::AppExt;

use crate::api::backup::Desk;
use crate::api::check::Checks;
use crate::api::headphones::Headphones;
use crate::api::logs::Readers;
use crate::api::spectrum::Spectra;
use crate::body::BodyLimit;
use crate::daemon::Daemon;
use crate::device::installer::Installer;
use crate::error::Error;
use crate::events::Source;
use crate::guard::log_pace::LogPace;
use crate::guard::pace::Pace;
use crate::guard::password::Password;
use crate::guard::policy::Policy;
use crate::guard::{AllowedHosts, Gate, guard};
use crate::openapi::Description;
use crate::page::{self, Page};
use crate::plot::Plots;
use crate::problem::Problem;
use crate::quiet::QuietRestart;
use crate::releases::Releases;
use crate::settings::Settings;
use crate::sides::Turn;
use crate::store::Store;
use crate::{api, feed};

/// What the handlers share, whichever thread they run on.
#[derive(Clone)]
pub struct Shared {
    pub gate: web::Data<Gate>,
    source: web::Data<Source>,
    readers: web::Data<Readers>,
    checks: web::Data<Checks>,
    daemon: web::Data<Daemon>,
    spectra: web::Data<Spectra>,
    limit: web::Data<BodyLimit>,
    headphones: web::Data<Headphones>,
    plots: web::Data<Plots>,
    turn: web::Data<Turn>,
    installer: web::Data<Installer>,
    releases: web::Data<Releases>,
    quiet: web::Data<QuietRestart>,
    desk: web::Data<Desk>,
    page: web::Data<Page>,
    description: web::Data<Description>,
    settings: web::Data<Settings>,
    store: web::Data<Store>,
}

impl Shared {
    /// Opens the data folder and starts to listen to the daemon. Event streams end when `closed`
    /// turns true. To be called on a thread that serves: it spawns a task.
    ///
    /// # Errors
    /// When a thread or a socket cannot be made, or the password's file not be read.
    pub fn open(settings: &Settings, closed: &watch::Receiver<bool>) -> Result<Self, Error> {
        let failed = |reason: String| Error::Start { reason };
        let events = feed::start(settings)?;
        let store = Store::with_limits(settings.data_folder(), settings.limits());
        store.clear_leftovers();
        let password =
            Password::load(&store).map_err(|problem| failed(problem.detail().to_owned()))?;
        let gate = Gate {
            hosts: AllowedHosts(settings.allowed_hosts().clone()),
            pace: Pace::default(),
            password,
            log: LogPace::default(),
            policy: Policy::default(),
        };
        let releases = Releases::new(&store, settings.update_key(), settings.hardware_revision());
        match releases.feed() {
            Ok(feed) => gate.policy.allow(feed.address.as_ref()),
            // The page works all the same, without a feed.
            Err(problem) => log::warn!("no update feed: {problem}"),
        }
        let quiet = QuietRestart::start(events.clone(), settings.power_sockets(), closed.clone());
        let daemon = web::Data::new(Daemon::new(settings));
        let streams = settings.max_event_streams();
        Ok(Self {
            gate: web::Data::new(gate),
            source: web::Data::new(Source::new(events, closed.clone(), streams)),
            readers: web::Data::new(Readers::new(closed.clone())),
            checks: web::Data::new(Checks::default()),
            spectra: web::Data::new(Spectra::start(daemon.clone(), closed.clone())),
            daemon,
            limit: web::Data::new(BodyLimit(settings.max_body_bytes())),
            headphones: web::Data::new(Headphones::new(&store)),
            plots: web::Data::new(Plots::default()),
            turn: web::Data::new(Turn::default()),
            installer: web::Data::new(Installer::new(settings.updater_sockets())),
            releases: web::Data::new(releases),
            quiet: web::Data::new(quiet),
            desk: web::Data::new(Desk::default()),
            page: web::Data::new(Page::new().map_err(|error| failed(error.to_string()))?),
            description: web::Data::new(
                Description::of(api::routes).map_err(|error| failed(error.to_string()))?,
            ),
            settings: web::Data::new(settings.clone()),
            store: web::Data::new(store),
        })
    }
}

/// The application of one thread.
pub fn app(
    shared: &Shared,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = actix_web::Error,
        InitError = (),
    > + use<>,
> {
    App::new()
        .app_data(shared.gate.clone())
        .app_data(shared.source.clone())
        .app_data(shared.readers.clone())
        .app_data(shared.checks.clone())
        .app_data(shared.daemon.clone())
        .app_data(shared.limit.clone())
        .app_data(shared.headphones.clone())
        .app_data(shared.plots.clone())
        .app_data(shared.turn.clone())
        .app_data(shared.desk.clone())
        .app_data(shared.installer.clone())
        .app_data(shared.releases.clone())
        .app_data(shared.quiet.clone())
        .app_data(shared.spectra.clone())
        .app_data(shared.page.clone())
        .app_data(shared.description.clone())
        .app_data(shared.settings.clone())
        .app_data(shared.store.clone())
        .app_data(web::QueryConfig::default().error_handler(|error, _| {
            let action = "Correct the query; /api describes what it may say.";
            Problem::not_accepted(error.to_string(), action).into()
        }))
        .app_data(web::PathConfig::default().error_handler(|error, _| {
            let action = "Load the list again and choose from it.";
            Problem::not_accepted(error.to_string(), action).into()
        }))
        .wrap(from_fn(guard))
        .into_utoipa_app()
        .configure(api::routes)
        .into_app()
        .default_service(web::to(page::file))
}

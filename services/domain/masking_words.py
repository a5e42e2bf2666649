"""Words, names and whole log lines that may be shown when text is masked.

The varying parts of a line (numbers, UUIDs, SHAs, our own words) have patterns so narrow that no name, amount or secret
fits. No word that is also a common name of a person is here (grant, mark, will, may, …).
"""

from __future__ import annotations

import re
from functools import cache

_DATA = """
account acct address amount attorney balance birth birthday birthdate card city claimant creditor debtor defendant dob
docket email employer firstname fullname garnishee iban judgment lastname mail maiden middlename mobile owed party payee
payer petitioner phone plaintiff principal respondent routing spouse ssn street surname tel telephone zip zipcode
"""
DATA_NAMES = frozenset(_DATA.split())

_PROGRAM = """
app application channel class column command container database db deployment event file function handler host hostname
instance job logger metric model module pod process queue relation role schema server service source step table task
thread type worker
"""
PROGRAM_NAMES = frozenset(_PROGRAM.split())

_NUMBER = r"\d{1,9}"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DOLLARS = r"\d{1,5}(?:\.\d{1,6})?"
_WORKER_TYPE = r"(?:ingest_processor|enforcement_engine)"
_JOB_STATE = r"(?:pending|processing|completed|failed)"
_API_PATH = r"(?:/api/health|/api/live|/api/v1/(?:intake/(?:health|upload|batches)|metrics)|/)"
_API_ROUTE = rf"(?:{_API_PATH}|/api/v1/intake/batches/\{{batch_id\}}|\(unknown path\))"
_NO_MEMOS = (
    r"(?:(?:OPENAI_API_KEY is not set|OPENAI_INPUT_USD_PER_MTOK and OPENAI_OUTPUT_USD_PER_MTOK are not set for this "
    r"OPENAI_MODEL), so results are deterministic only|OPENAI_BUDGET_USD is used up|OpenAI: (?:it refused the key|"
    r"the key may not use this model|it knows no such model or address|its rate limit or quota is used up|"
    r"it cannot be reached|its answer cannot be understood|it answered [45]\d\d|no answer within \d{1,5}(?:\.\d)? s))"
)

_LINES = (
    rf"\[{_WORKER_TYPE}\] (?:Claimed job|Job completed|Job handed back|Processing batch): {_UUID}",
    rf"\[enforcement_engine\] Reviewed: {_NUMBER} judgments",
    rf"\[enforcement_engine\] Memos: {_NUMBER} written, {_NUMBER} refused, {_NUMBER} left, {_DOLLARS} USD",
    rf"(?:\[enforcement_engine\] Memos missing: )?{_NO_MEMOS}",
    rf"\[{_WORKER_TYPE}\] No pending jobs found \(idle\)",
    rf"\[{_WORKER_TYPE}\] CRITICAL: Crash loop detected after {_NUMBER} failures",
    rf"claim_pending_job: claimed job {_UUID}",
    rf"update_job_status: job {_UUID} -> {_JOB_STATE}",
    r"PostgreSQL connection established",
    r"PostgreSQL connection failed: (?:FATAL: password authentication failed for user|Connection refused)",
    rf"Pool size: {_NUMBER}, max overflow: {_NUMBER}",
    r"FATAL: password authentication failed for user",
    r"Entering main loop\.\.\.",
    r"Worker stopped",
    rf"Stop requested: finishing the current job, at most {_NUMBER} s",
    rf"(?:GET|POST|HEAD) {_API_ROUTE} [1-5]\d\d {_NUMBER} ms",
    r"[┌├└]─+[┐┤┘]",
    r"│ +DRAGONFLY WORKER STARTING +│",
    r"│  Worker ID: +(?:ingest|enforcement)-[0-9a-f-]{1,36} +│",
    rf"│  Worker Type: +{_WORKER_TYPE} +│",
    r"│  Environment: +(?:dev|staging|prod) +│",
    r"│  Git SHA: +(?:[0-9a-f]{7,40}|unknown) +│",
    r"│  Python: +3\.\d{1,2}\.\d{1,2} +│",
    r"INFO: +(?:Started|Finished) server process \[\d{1,9}\]",
    r"INFO: +(?:Waiting for application (?:startup|shutdown)|Application (?:startup|shutdown) complete)\.",
    r"INFO: +Shutting down",
)
# Lines of the system `civil`. "Failed to upsert case …" is not among them: it names the case.
_CIVIL_TYPE = r"(?:ingest_processor|enforcement_engine|simplicity_ingest_worker)"
_CIVIL_JOB = r"[a-z]{1,20}(?:_[a-z]{1,20}){1,3}"
_CIVIL_WORD = r"(?:starting|running|degraded|stopped|error)"
_CIVIL_LINES = (
    r"={10,120}",
    rf"(?:Dragonfly Worker|DRAGONFLY WORKER): {_CIVIL_TYPE}",
    r"Git SHA: +(?:[0-9a-f]{7,40}|unknown)",
    rf"Worker ID: +{_CIVIL_TYPE}-[0-9a-f]{{8}}",
    rf"Job Types: +{_CIVIL_JOB}(?:, {_CIVIL_JOB}){{0,5}}",
    r"Poll Interval: \d{1,4}\.\d{1,3}s",
    rf"\[{_CIVIL_TYPE}\] (?:Database connection established \({_NUMBER}ms\)|DB smoke test passed)",
    rf"Job claimed via RPC: {_UUID} \(worker: {_CIVIL_TYPE}-[0-9a-f]{{8}}\)",
    rf"Job {_UUID} \({_CIVIL_JOB}\) completed successfully",
    rf"Job {_UUID} (?:scheduled for retry in \d{{1,6}}s \(attempt \d{{1,3}}/\d{{1,3}}\)|"
    r"moved to DLQ after \d{1,3} attempts)",
    rf"\[[0-9a-f]{{8}}\] Inserted {_NUMBER}/{_NUMBER} judgments",
    rf"Worker status: {_CIVIL_WORD} → {_CIVIL_WORD}",
    rf"Crash loop detected \({_NUMBER} failures\)",
    r"Received SIGTERM, initiating graceful shutdown\.\.\.",
    r"Worker shutdown complete",
)


def is_known_line(line: str) -> bool:
    """True if the whole line is one that our own programs, or those of another operated system, print."""
    return _known().fullmatch(line.strip()) is not None


@cache
def _known() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{line})" for line in (*_LINES, *_CIVIL_LINES)))


_WORDS = """
a able abort aborted about above abruptly absent accept accepted accepting access account ack acknowledge acquire
across act active activity actual add additional address administrator adopt advisory after again against age agent
aggregate alert alias alive all allocate allocation allocator allow allowed allowlist alone along already also always
ambiguous amount an and another answer answered answers any anything api app append application applied apply applying
are argument arithmetic array arrive artifact as ask asked asks assert assertion asset assign associate async at
attached attempt attribute auth authenticate authentication authority authorization authorize auto automatically
autoscale autoscaler autovacuum available average await awaited away back backend backlog backoff backup bad balance
balancer banner base batch batches be beat been before began begin begun belong below better between billing bind bit
bitmap blank blob block blocked blocking blocklist body boolean boom boot born bot both bottom bound boundary brace
bracket branch break briefing broken bucket buffer bug build builder building built bulk burst business busy but by
byte bytes cache calculate calculation calendar call callable callback can canary cancel cancellation candidate cannot
capacity carry cast catalog caught cause certificate cgroup chain chained change channel char character chars charset
check checkpoint checksum child choice chunk chunked cipher claim class clean cleanly clear client clock close closed
cluster code cold collect collector colon column columns comma command commit common communicate compare compatible
compile compiler complete completion compressed compute concurrency concurrent concurrently condition config
configuration configure confirm conflict connect connected connection consistent constraint consume contact contain
container content context continue conversion convert cookie copy core coroutine correct corrupt could count counted
counter counts county cpu crash crashed crashing create created credential cron csrf css csv ctrl current currently
cursor cycle daemon data database date datetime day days dead deadlock debug decimal declare decode decoded decoder
decrypt dedupe deduplicated default defendant defer define deflate degradation degraded delay delete deleted deleting
delimiter deliver delivery denied deny denylist depend dependencies dependency deploy deployment deprecated
deprecation deprovision depth deserialize detach detached detail details detect determine deterministic device
diagnostic dial dialog dict did diff different digest digit direct directly directory disable disconnect disconnected
disk divide division dns do docket docs document documentation does domain done dotenv double down downgrade download
downstream dragonfly drain drift drop dropped due dump duplicate duplicates duration during dynamic each early egress
either elapsed element else email embedding emergency emit empty enable encode encoder encoding encounter encrypt end
endpoint enforce enforcement engine enqueue enter entire entry enum env environment eof epoch equal error escape
establish established estimate evaluate event every everybody everything evict exact exceed exceeded except exception
exclude exclusive executable execute execution executor exhaust exist exit exited exiting expect expected expecting
expire explicit export exporter expression extend extension extent external extra facts fail failover failure fake
fall fallback false fast fatal fault feature fetch field file filing fill filter final find fine finish finished
firewall first fix fixed fixture flag float flush flushed flushing folder follow footer for forbid forbidden force
forcibly foreign fork form format formatter forward found free freeze fresh from full function future gaierror garbage
gateway gauge gc general generate generation get gets getting git give given global gone good goodbye got graceful
gracefully granted grantee grants greeting group gzip had half hand handle handled handler handshake hang hanging
happen has hash have header headers health healthcheck healthy heap heartbeat held hello here hint histogram hit hold
holder hook host hour hours how html http https hung id identifier idle if ignore illegal image imap implementation
implicit import in incident include incoming incompatible incomplete incorrect index inference infinite infinity info
information infrastructure ingest ingress inherit ini init initial initialize inner inode input insert inside install
installation installing instance instead insufficient int intake integer integrity interest interface internal
interrupt interval into invalid invoke io ipv is isolation issue issuer it item iterable iteration its itself job jobs
join json judgment judgments just keep kernel key keyword kill killed kind know known label labels lack language large
last late latency later launch layer layout lead leader leak lease leave left legacy length less level lexer lib
library life like limit limited limits line lines link linked linking list listen listening literal live load loaded
loading local locale locate location lock lockfile log logger logging logical login long look lookup loop loopback
looping lost low lower machine made mail main maintenance major make malformed manage mandatory manifest manual
manually many map match max maximum mean meanwhile measure median member membership memo memory mention merge message
metadata method metric microseconds middleware migrate migration milliseconds minimum minor minute minutes mismatch
miss missing mock modal mode model module modulo monitor monotonic month more most mount mounted move ms multipart
multiple multiprocess must my name namespace nan native need needed negative neither nested network never new newline
next no nobody node non nonce none nonexistent nonzero nor normal normalize normalized not note nothing notice
notification notify now nowhere npm ntp null number numbers numeric object obsolete obtain occur of off offset ok okay
old oldest on once one only oom open openai opened operate operation operator ops option optional or order
organization origin orm orphan orphaned other our out outage outbox outcome output outside over overflow overlap
overloaded override own owner package pager parallel parameter parent parse parser part partial partially partition
pass password patched patching path pattern pause payload peer pending per percent percentile perform perhaps period
permanently permission permit permitted phase ping pip pipe pipeline place plain plaintext plaintiff plan planner
platform please plus pod point poison policy poll pool pooler port portal position positional positive possible post
posted postgre postgres postgresql posting postmaster prefix prepare prepared present presigned press prevent previous
primary print prior priority privilege problem procedure proceed process processing processor prod produce production
profile profiler progress prohibit prohibited project prompt propagate property protocol prove provide provider
provision proxy psycopg public publication publish pull purge push put puts putting python quarantined query question
queue quick quiet quit quitting quota quote raise raised ran random range rate ratelimited ratio raw reach reachable
reaction read readonly ready reap reason receive recent recognize reconnect reconnected reconnecting record records
recover recovered recovery recursion redelivery redeploy redeployment redirect reduce redundant refer reference
referer refresh refuse refused region register registry reject rejected relation release reload remain remember remote
remove removed rename renew reopened repeat replace replica replication replied reply repo report repository request
requests requeue require required reserve reset resolve resolver resource respond response rest restart restarted
restarting restore restrict result resume retention rethrown retrieve retry retryable return reuse revert reverted
reverting review revoke right rls role roll rollback rolled rolling rollout root round route router row rows rule run
running runtime safe said salt same sample sandbox sanitize sanitized save saved savepoint saving scalar scale scaling
scan schedule scheduler schema scope scopes scrape script search second seconds secret section secure security see
seed segfault segment select self semantic send sent sentry sequence serial serializable serialization serialize serve
server service serving session set sets setting settings severity shape share shared sheet short should show shut
shutdown shutting sign signal signature signed signer silence silent simple simplicity simulate simulated simulation
since single size skew skip skipped slash sleep sliding slot slow small smtp snapshot so socket soft software solve
some something sometimes somewhere soon sorry source space span spawn specific specification specify split spreadsheet
sql ssl stack stage stale standard standby start started starting startup state statement static status stay stderr
stdin stdout steady step still stop stopped stopping storage store strategy stream strict string strip structure stub
stuck style subclass submit subnet subprocess subscribe subscription subtotal subtransaction succeed succeeded success
successful successfully such suffix sum summary supabase super superuser supervisor supply support suspend swallowed
swap switch symbol symlink sync synced synchronize syncing syntax system tab table tablespace tag take taken target
task tasks tcp team telemetry teller temperature temporarily temporary tenant terminal terminate terminated
terminating test testing tests text than that the their them then there these third this those thread threadpool
threshold throttle throttled through throw thrown tick ticket time timeout timestamp timezone title tls to toggle
token tokens told toml too tool top total trace traceback track traffic transaction transfer transform transient
transition translate transport tree trigger trim true truncate trust trusted try tty tunnel tuple turn twice two type
udp unable unauthorized unavailable unbound unchanged unclosed undefined under underflow unequal unexpected unfinished
unhandled unhealthy union unique unit unknown unlink unlinked unlock unmounted unnamed unreachable unrecognized
unresolved unsafe unset unspecified unsupported unterminated until up update upgrade upload upon upper upstream uri
url usage use used user uses using utf uuid uvicorn vacuum valid validate validation value variable vector verbose
verified verify version via view violate violation virtual visible void volume wait waiter wake wal want warm warn
warning was watch way we web webhook websocket wedged week weeks were what wheel when where whether which while
whitelist whitespace who whole whose why wide window wire with within without word words work workbook worker workers
workspace world worse worst would wrap wrapped write written wrong xml yaml year yet yield you your zero zombie zone
"""
# Types of columns and values, and operations of programs on rows.
_OF_DATA = """
adapter aggregation anonymize archive backfill bigint bigserial bool bytea checker citext classification classify
coalesce coercion collide collision comparison converter creation db decorator decryption dedup deduplicate
deduplication deletion deserialization encryption enricher enrichment extraction extractor factory frozenset geocode
hstore importer inet ingestion insertion jsonb linkage linker loader lowercase mapper masking matcher mutation
nullable oid pagination rebuild reconciliation redaction regclass reindex reparse resolution rollup rotate rotation
sanitization scoring smallint sorting standardize str timestamptz tokenize tsvector unmatched unparseable unparsed
uploader uppercase upsert varchar workflow
"""
WORDS = frozenset((_WORDS + _OF_DATA).split())

# Words of HTTP and of the errors of Railway and Slack, with a capital anywhere in a sentence.
_TITLES = """
Aborted Accepted Access Allowed Authentication Authorization Authorized Bad Build Client Conflict Connection Container
Content Created Denied Deployment Disabled Disconnected Domain Entity Environment Error Exceeded Failed Failure
Forbidden Found Gateway Handshake Image Implemented Instance Internal Invalid Killed Limit Limited Many Media Memory
Method Name Not Permission Plan Pool Precondition Problem Project Refused Region Request Requests Required Reset
Resolution Server Service Session Settings Supported Temporary Timeout Token Too Trigger Unauthorized Unavailable
Unprocessable Unsupported Upgrade Usage Variable Version Volume Workspace
"""
TITLES = frozenset(_TITLES.split())

# Products that our programs run on or talk to, as they spell themselves.
_PRODUCTS = """
APIStatusError Caddy Cloudflare Debian Docker Dockerfile FastAPI GitHub GraphQL Gunicorn HTTPException Linux NoneType
Nixpacks OpenAI PgBouncer Postgres PostgREST PostgreSQL Pydantic Python Railpack Railway SQLAlchemy Slack Starlette
Supabase Supavisor Uvicorn asyncpg
"""
PRODUCTS = frozenset(_PRODUCTS.split())

# Written in capitals by programs. Court data is full of capitals, so this list is short.
_CAPITALS = """
ABORT ACCESS AND API AS ASCII ASGI BEGIN BUILD CN COLUMN COMMIT CONTEXT CORS CPU CREATE CRITICAL CSRF CSV CTRL CTRL+C
DATABASE DB DEBUG DELETE DETAIL DNS DRAGONFLY DROP EAI_AGAIN ECONNABORTED ECONNREFUSED ECONNRESET EHOSTUNREACH
ENETUNREACH ENOENT ENOMEM ENOSPC ENOTFOUND EOF EOFError EPIPE ERR ERROR ETIMEDOUT EXCLUSIVE FATAL FROM GET GMT GSSAPI
HEAD HINT HTML HTTP HTTPS ID IN INDEX INFO INSERT INTO IO IP IPC JSON JWT KEY LINE LISTEN LOCATION LOCK LOG MD5 NOT
NOTICE NOTIFY NULL OAuth OK OOM OOMKilled OPTIONS OR PANIC PATCH PEM PID PL/pgSQL POST PUBLIC PUT QUERY RAM RLS
ROLLBACK SASL SCHEMA SELECT SEQUENCE SET SHA SHARE SIGABRT SIGBUS SIGHUP SIGINT SIGKILL SIGSEGV SIGTERM SMTP SNI SQL
SQLSTATE SSL STARTING STARTTLS STATEMENT TABLE TCP TLS TRUNCATE TTL UDP UPDATE URI URL UTC UTF UUID VACUUM VALUES VIEW
WAL WARN WARNING WHERE WORKER WSGI
"""
CAPITALS = frozenset(_CAPITALS.split())

# The titles of the intake's columns.
LABELS = frozenset({"Plaintiff", "Defendant", "Judgment", "Amount", "Filing", "Date", "County", "Number"})

# Words with digits that are no data.
WITH_DIGITS = frozenset({"http/1.0", "http/1.1", "http/2", "utf-8", "utf8", "base64", "sha256", "hs256", "v1"})

_PART = r"[a-z][a-z0-9]{0,30}"
_IDENTIFIER = re.compile(
    rf"_{{0,2}}{_PART}(?:_{{1,2}}[a-z0-9]{{1,30}}){{1,10}}_{{0,2}}|__{_PART}__|_{_PART}"
    r"|[A-Z][A-Z0-9]{0,30}(?:_[A-Z0-9]{1,30}){1,10}"
)
_SMALL_CAMEL = re.compile(r"[a-z]{2,20}(?:[A-Z][a-z0-9]{1,20}){1,6}")
_LONG_NUMBER = re.compile(r"\d{4}")
_CAMEL = re.compile(r"(?:[A-Z]{2,10}(?=[A-Z][a-z])|[A-Z][a-z0-9]{1,40}){2,10}")
_ENDINGS = (
    "Error", "Errors", "Exception", "Warning", "Violation", "Transaction", "Timeout", "Failure", "Exit", "Interrupt",
    "Refused", "Canceled", "Cancelled", "Shutdown", "Detected", "Disconnect", "Exceeded", "NotFound", "Iteration",
)  # fmt: skip
# "McDonald" is written like a class, but is a surname.
_SURNAMES = re.compile(r"(?:Mac|Mc|De|Del|Della|Di|Du|El|Fitz|La|Le|Lo|O|St|Van|Von)[A-Z][a-z]")
_QUALIFIED = re.compile(rf"_{{0,2}}{_PART}(?:_[a-z0-9]{{1,30}}){{0,8}}(?:\.\w{{1,60}}){{1,8}}")
_SOURCE_FILE = re.compile(
    r"[\w.@+/~-]{1,300}\.(?:py|pyx|pyi|pyc|so|sql|toml|ya?ml|cfg|ini|sh|js|ts|go|rs)(?::\d{1,6}){0,2}"
)
_SYSTEM_PATH = re.compile(
    r"/(?:app|bin|dev|etc|lib|lib64|nix|opt|proc|root|run|sbin|sys|usr|var|workspace)(?:/[\w.@+/-]{0,300})?"
    r"(?::\d{1,6}){0,2}"
)
_DATA_FILE = re.compile(r"\.(?:csv|docx?|eml|html?|jsonl?|log|pdf|tsv|txt|xlsx?|xml|zip)\Z", re.IGNORECASE)
_PATH_PART = re.compile(r"[a-z0-9_.@+-]{0,80}|[A-Z]{1,12}")


def is_identifier(word: str) -> bool:
    """True for `claim_pending_job`, `_read`, `SUPABASE_DB_URL`, `postMessage`."""
    if _LONG_NUMBER.search(word):
        return False
    return bool(
        _IDENTIFIER.fullmatch(word) or (_SMALL_CAMEL.fullmatch(word) and not is_surname(word[0].upper() + word[1:]))
    )


def is_surname(word: str) -> bool:
    """True for `McDonald`, `O'Brien`, `DeLuca`: names that begin with a particle."""
    return _SURNAMES.match(word.replace("\u2019", "").replace("'", "")) is not None


def is_class_name(word: str) -> bool:
    """True for `JudgeBoom`: two words written as one, no surname. Only its place in the text makes it a class."""
    return _CAMEL.fullmatch(word) is not None and _SURNAMES.match(word) is None


def is_exception(word: str) -> bool:
    """True for `ReadTimeout`, `HTTPStatusError`: an exception's class, wherever it is written."""
    return word.endswith(_ENDINGS) and _CAMEL.fullmatch(word) is not None


def is_qualified(word: str) -> bool:
    """True for `backend.workers.ingest.JudgeBoom`, `asyncio.run`, `self._read`: parts, at least one no plain word."""
    if _QUALIFIED.fullmatch(word) is None:
        return False
    parts = word.split(".")
    telling = [part for part in parts if is_identifier(part) or is_class_name(part)]
    plain = [part for part in parts if part not in telling]
    return bool(telling) and all(
        part.isascii() and part.islower() and _LONG_NUMBER.search(part) is None for part in plain
    )


def is_source_path(word: str) -> bool:
    """True for `/app/backend/workers/ingest.py:42`, `handler.py`, `/usr/lib/python3.11`: program files, never data."""
    is_path = _SYSTEM_PATH.fullmatch(word) or _SOURCE_FILE.fullmatch(word)
    if not is_path or _DATA_FILE.search(word):
        return False
    parts = re.sub(r"(?::\d{1,6}){1,2}\Z", "", word).split("/")
    return all(_PATH_PART.fullmatch(part) and not re.search(r"\d{4}", part) for part in parts)


_SUFFIXES = ("s", "es", "ed", "d", "ing", "ly", "al", "r", "ation")


def is_known_word(word: str) -> bool:
    """True if a word in lower case is a program's word, in any of its forms."""
    if word in WORDS:
        return True
    return any(_stem_is_known(word.removesuffix(suffix)) for suffix in _SUFFIXES if word.endswith(suffix))


def _stem_is_known(stem: str) -> bool:
    """True for a stem of a known word, also in `retri-ed`, `writ-ing` and `stopp-ed`."""
    if len(stem) < 2:
        return False
    doubled = stem[:-1] if stem[-1] == stem[-2] else stem
    return any(form in WORDS for form in (stem, f"{stem}e", doubled, f"{stem[:-1]}y" if stem[-1] == "i" else stem))

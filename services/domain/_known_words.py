"""The words that may be shown when an error or a log line is masked: everything else in it is taken for data.

No word that is also a common name of a person is here (grant, mark, will, may, …).
"""

from __future__ import annotations

_WORDS = """
a abort about above accept access account acquire act active activity actual add additional address adopt after again
against age agent aggregate alert alias alive all allocate allow already also ambiguous amount an and answer any api
app application apply are argument array as assert assertion asset assign async at attempt attribute auth authenticate
authentication authorization authorize auto available await back backend backlog backoff backup bad banner base batch
be beat been before began begin begun bind bit blank block body boolean boot born bot both bound branch break broken
buffer bug build built bulk business busy but by byte cache calculate calculation call can cancel cancellation
candidate cannot capacity cast catalog cause certificate change channel character check checksum child choice chunk
claim class clean clear client clock close cluster code column command commit common communicate compare compile
complete compute concurrent condition config configuration configure confirm conflict connect connection consistent
constraint contain container content context continue conversion convert copy correct corrupt could count counter
county crash create created credential csv current currently cursor cycle daemon data database date datetime dead
deadlock debug decimal declare decode decoded default defendant defer define delay delete delimiter denied deny depend
dependency deploy deployment depth deserialize detach detail detect determine deterministic diagnostic dict did
different digit directory disable disconnect disk do document does domain done dragonfly drain drop due duplicate
duration during dynamic each early either elapsed element else email empty enable encode encoding encounter end
endpoint enforce enforcement engine enqueue enter entry enum environment eof equal error escape establish estimate
evaluate event every exact exceed except exception exclude exclusive execute execution exhaust exist exit expect
expire explicit export expression extend extension external extra facts fail failure fall false fatal fault fetch
field file filing fill filter final find finish first fix flag float flush folder follow for forbid forbidden force
foreign form format found free freeze from full function future gateway general generate generation get give given
global goodbye graceful granted grants group had half handle handler handshake happen has hash have header health
healthy heartbeat held hint hold host how http https id identifier idle if ignore illegal implementation implicit
import in include incoming incomplete incorrect index infinite info information infrastructure ingest init initial
initialize inner input insert inside install instance instead insufficient int intake integer integrity interface
internal interrupt interval into invalid invoke io is isolation issue it item iteration its job join json judgment
keep key keyword kill kind know known lack language large last late later launch layer layout lease leave left length
less level lib library life like limit line link list listen literal live load local locate location lock log login
lookup loop lost low main maintenance major make malformed manage manual many map match max maximum mean measure
member memory merge message metadata method metric middleware migrate migration minor minute mismatch missing mode
model module monitor more most move multiple must name native need neither nested network new next no none nonexistent
nor normal normalize not note nothing notice notification notify now null number numeric object obtain occur of off
offset ok old oldest on once one only open openai operate operation operator ops option or order orphan other out
outcome output outside over overflow overlap override own owner package parallel parameter parent parse parser part
partial partition pass password path pattern pause payload peer pending per perform period permission permit phase
ping pipe pipeline place plain plaintiff plan platform please plus point policy poll pool pooler port position
possible postgre postgres postgresql prefix prepare present prevent previous primary print prior priority privilege
problem procedure proceed process processing processor prod produce production progress prohibit project propagate
property protocol prove provide provider proxy psycopg public publish pull purge push put query queue quit quota quote
raise random range rate raw reach read ready reap reason receive recent recognize reconnect record recover recovery
recursion redirect reduce redundant refer reference refresh refuse region register reject relation release reload
remain remote remove rename repeat replace replica replication reply report request requeue require reserve reset
resolve resource respond response rest restart restore restrict result resume retry return reuse revert revoke right
role roll rollback root round route row rule run runtime safe same sandbox save savepoint scalar scale scan schedule
scheduler schema scope script search second secret section secure security segment select self semantic send sent
sequence serial serialization serialize serve server service session set severity shape share short should shut
shutdown shutting sign signal signature silent simple simplicity since single size skip sleep slot slow small snapshot
so socket soft software some soon source space specific specification specify split sql ssl stack stage stale standard
start starting startup state statement static status step still stop storage store strategy stream strict string strip
structure stuck style subclass submit subscribe success successful such suffix sum summary supabase super supply
support suspend swap switch symbol sync synchronize syntax system table take taken target task tcp temporary terminal
terminate test text than that the their them then there these this those thread threshold throttle through throw
ticket time timeout timestamp title tls to token too tool top total trace traceback track traffic transaction transfer
transform transient transition translate transport tree trigger trim true truncate trust try tuple turn twice two type
unable unauthorized unavailable unchanged undefined under unexpected unhandled union unique unit unknown unlock
unreachable unrecognized unsafe unspecified unsupported unterminated until up update upgrade upload upon uri url usage
use user utf uuid uvicorn vacuum valid validate validation value variable vector verify version via view violate
violation virtual visible void volume wait want warn warning was watch way we web websocket were what when where
whether which while who whole why wide window wire with within without word work worker would wrap write written wrong
yet yield you your zero zone
"""
WORDS = frozenset(_WORDS.split())

# Written in capitals by programs. Court data is full of capitals, so that this list is short.
_CAPITALS = """
AND API AS ASCII BEGIN COMMIT CONTEXT CRITICAL CSV DB DEBUG DELETE DETAIL DNS DRAGONFLY EOF ERROR FATAL FROM GET HEAD
HINT HTTP HTTPS ID IN INFO INSERT INTO IO IP JSON JWT KEY LINE LOCATION LOG NOT NOTICE NULL OK OPTIONS OR PANIC PATCH
PID POST PUT QUERY RLS ROLLBACK SELECT SET SHA SIGINT SIGKILL SIGTERM SQL SQLSTATE SSL STARTING STATEMENT TABLE TCP
TLS TTL UPDATE URI URL UTC UTF UUID VALUES WARN WARNING WHERE WORKER
"""
CAPITALS = frozenset(_CAPITALS.split())

# The titles of the intake's columns: labels, wherever they are written.
LABELS = frozenset({"Plaintiff", "Defendant", "Judgment", "Amount", "Filing", "Date", "County", "Number"})

# Written with digits, and no data.
WITH_DIGITS = frozenset({"http/1.0", "http/1.1", "http/2", "utf-8", "utf8", "base64", "sha256", "hs256", "v1"})

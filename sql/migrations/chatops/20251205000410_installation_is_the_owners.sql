-- Which environment the database belongs to is the owner's word: the bot reads it before it acts, and may not change it.

REVOKE ALL ON chatops.installation FROM dragonfly_bot;
GRANT SELECT ON chatops.installation TO dragonfly_bot;
DROP POLICY bot ON chatops.installation;
CREATE POLICY bot ON chatops.installation FOR SELECT TO dragonfly_bot USING (true);

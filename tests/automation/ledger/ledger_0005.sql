BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE attempts (
	attempt_id INTEGER NOT NULL, 
	intent_id VARCHAR(32) NOT NULL, 
	destination VARCHAR(100) NOT NULL, 
	kind VARCHAR(10) NOT NULL, 
	outcome VARCHAR(12) NOT NULL, 
	reason TEXT NOT NULL, 
	hold_until DATETIME, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (attempt_id), 
	FOREIGN KEY(intent_id) REFERENCES intents (intent_id)
);
INSERT INTO "attempts" VALUES(1,'d01efbb607c7971be30b9e85aa354a3a','sim','create','confirmed','',NULL,'2026-06-01 12:00:00.022344');
INSERT INTO "attempts" VALUES(2,'b6b1afd3bf7d230d1c0577a128060161','sim','create','confirmed','',NULL,'2026-06-01 12:00:00.032683');
INSERT INTO "attempts" VALUES(3,'768dd7b1a9ebac462ee06f4b6f4307bc','sim','create','confirmed','',NULL,'2026-06-01 12:00:00.040678');
INSERT INTO "attempts" VALUES(4,'5774f9db43100fe5875791b3f507035b','sim','create','confirmed','',NULL,'2026-06-01 12:00:00.050005');
INSERT INTO "attempts" VALUES(5,'f703bda896edde4de66a6ea40d201435','sim','create','confirmed','',NULL,'2026-06-01 12:00:00.064859');
INSERT INTO "attempts" VALUES(6,'7559c3cfefae8567e2f7f7afec059481','sim','create','confirmed','',NULL,'2026-06-01 12:00:00.076816');
INSERT INTO "attempts" VALUES(7,'6e05629c4eae0b817f625d5f20c9aea0','sim','resolve','confirmed','',NULL,'2026-06-01 14:00:00.033666');
INSERT INTO "attempts" VALUES(8,'9cd596576940485203566c07247e713e','sim','update','confirmed','',NULL,'2026-06-01 14:00:00.047449');
INSERT INTO "attempts" VALUES(9,'08a44c66bdc9c00b43f361d02b617a96','sim','create','unknown','timed out',NULL,'2026-06-01 14:00:00.055485');
INSERT INTO "attempts" VALUES(10,'c2f4ef50ef8ed7d1cdf28123d15accd0','sim','update','not sent','connection refused',NULL,'2026-06-01 14:00:00.067150');
INSERT INTO "attempts" VALUES(11,'a0321b58d546a039377b416c0c4c39aa','sink','create','confirmed','',NULL,'2026-06-01 14:00:00.091414');
INSERT INTO "attempts" VALUES(12,'0227356c9fc4b3fafe37130f251fb594','sink','create','confirmed','',NULL,'2026-06-01 14:00:00.099465');
INSERT INTO "attempts" VALUES(13,'e7c61347f34ff1aca0308953095b15e8','sink','create','confirmed','',NULL,'2026-06-01 14:00:00.112313');
INSERT INTO "attempts" VALUES(14,'4d657c36ccdd05cf4cb6f605d8d22862','sink','create','confirmed','',NULL,'2026-06-01 14:00:00.123506');
INSERT INTO "attempts" VALUES(15,'8324cc66d401c68aed5bf6ef0e07b1e6','sink','create','confirmed','',NULL,'2026-06-01 14:00:00.131438');
INSERT INTO "attempts" VALUES(16,'227d15f13a6f99d50f5dbf0aa26e593a','sink','create','confirmed','',NULL,'2026-06-01 14:00:00.142534');
INSERT INTO "attempts" VALUES(17,'592557f5eac8441676cc344180ba4c90','sink','create','confirmed','',NULL,'2026-06-01 14:00:00.151436');
INSERT INTO "attempts" VALUES(18,'5df16b717e456b520d9fc9650ce466f4','mailbox','create','unknown','timed out',NULL,'2026-06-01 14:01:00.035703');
CREATE TABLE audit (
	audit_id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	actor VARCHAR(100) NOT NULL, 
	event VARCHAR(100) NOT NULL, 
	intent_id VARCHAR(32), 
	detail TEXT NOT NULL, basis TEXT DEFAULT '' NOT NULL, confidence FLOAT, hash VARCHAR(64) DEFAULT '' NOT NULL, 
	PRIMARY KEY (audit_id)
);
INSERT INTO "audit" VALUES(1,'2026-06-01 12:00:00.000032','push','issue gathered',NULL,'{"destination": "sim", "issue_id": "ISS-5", "owner": "checkout-squad", "umbrella": "UMB-BD1AD3E233"}','',NULL,'4858e95b641c4aa3572bc7d70021ed9caabf4ff6c98f7557f35b44a6ed70e2e3');
INSERT INTO "audit" VALUES(2,'2026-06-01 12:00:00.000032','push','issue gathered',NULL,'{"destination": "sim", "issue_id": "ISS-6", "owner": "checkout-squad", "umbrella": "UMB-BD1AD3E233"}','',NULL,'0cc6d88714b190955bf263be5372faaef913620a904957ba648f7ba7a05b33cb');
INSERT INTO "audit" VALUES(3,'2026-06-01 12:00:00.015154','push','intent recorded','d01efbb607c7971be30b9e85aa354a3a','{"action": "create", "issue_id": "ISS-0"}','P2, regression, 4 signals',0.91,'c8cf9f285026514b9e18eb24cd00ae9ff9526f8ece99470050b22cd87647a1ba');
INSERT INTO "audit" VALUES(4,'2026-06-01 12:00:00.015154','push','intent recorded','b6b1afd3bf7d230d1c0577a128060161','{"action": "create", "issue_id": "ISS-1"}','P2, regression, 4 signals',0.91,'958f15fd84bc0dec8bb9628ed480051eeebf74e783184342972755eea8c71381');
INSERT INTO "audit" VALUES(5,'2026-06-01 12:00:00.015154','push','intent recorded','768dd7b1a9ebac462ee06f4b6f4307bc','{"action": "create", "issue_id": "ISS-2"}','P2, regression, 4 signals',0.91,'9e4e260e91feb4f99f34893ba26afec2b758e06837c5d0b86ed5a73d044e7cc4');
INSERT INTO "audit" VALUES(6,'2026-06-01 12:00:00.015154','push','intent recorded','5774f9db43100fe5875791b3f507035b','{"action": "create", "issue_id": "ISS-3"}','P2, regression, 4 signals',0.91,'fdf601ebee7a2297880046a961691e82b073653a26037b11e384e6ce97d48776');
INSERT INTO "audit" VALUES(7,'2026-06-01 12:00:00.015154','push','intent recorded','f703bda896edde4de66a6ea40d201435','{"action": "create", "issue_id": "ISS-4"}','P2, regression, 4 signals',0.91,'2536bf886c6cd0cd5c6e783afd7ed1b0ab3fe3e52d80038d7bbaf256fb76b601');
INSERT INTO "audit" VALUES(8,'2026-06-01 12:00:00.015154','push','intent recorded','7559c3cfefae8567e2f7f7afec059481','{"action": "create", "issue_id": "UMB-BD1AD3E233"}','more than 5 new tickets an hour for checkout-squad',NULL,'e90ef1038896a860d0a92b3df1b536aca33496ae77206458e837e0e02175cbdb');
INSERT INTO "audit" VALUES(9,'2026-06-01 12:00:00.020423','push','intent claimed','d01efbb607c7971be30b9e85aa354a3a','{"action": "create"}','',NULL,'14fbaf1f8fa1fa6b7044c7359cd355b3e70ea7042f7b02f16b195df41e2558bd');
INSERT INTO "audit" VALUES(10,'2026-06-01 12:00:00.022344','push','intent confirmed','d01efbb607c7971be30b9e85aa354a3a','{"external_id": "1"}','',NULL,'8228831a0da9018b2fd409ca4a08f753b22d778bbcabdb26902e0adc14f4102b');
INSERT INTO "audit" VALUES(11,'2026-06-01 12:00:00.029028','push','intent claimed','b6b1afd3bf7d230d1c0577a128060161','{"action": "create"}','',NULL,'5c50568000ee08409fbe2364dbbba04c1bc72aa67e65b07966c90f6cc8f71208');
INSERT INTO "audit" VALUES(12,'2026-06-01 12:00:00.032683','push','intent confirmed','b6b1afd3bf7d230d1c0577a128060161','{"external_id": "2"}','',NULL,'940ef9d3511f6311b488aa7e56f4e007534f5386f02f9959613b3074277bc9e5');
INSERT INTO "audit" VALUES(13,'2026-06-01 12:00:00.036980','push','intent claimed','768dd7b1a9ebac462ee06f4b6f4307bc','{"action": "create"}','',NULL,'f5c36166513f6c66089ad45e2a017069e3143bd346c876b1f92ec9929439cfed');
INSERT INTO "audit" VALUES(14,'2026-06-01 12:00:00.040678','push','intent confirmed','768dd7b1a9ebac462ee06f4b6f4307bc','{"external_id": "3"}','',NULL,'dcf432e39cc951b90b3af969d564767f47c9186b93e94ea73f91c4db14a60892');
INSERT INTO "audit" VALUES(15,'2026-06-01 12:00:00.044998','push','intent claimed','5774f9db43100fe5875791b3f507035b','{"action": "create"}','',NULL,'ef06597aa0fb89351e542372f592a766a2516d8d1406ce6f1f8341f6dcc6dd00');
INSERT INTO "audit" VALUES(16,'2026-06-01 12:00:00.050005','push','intent confirmed','5774f9db43100fe5875791b3f507035b','{"external_id": "4"}','',NULL,'9af9fdbcbc419b819bd9499d824f2e22c5d4836144a0f58c748d85179c42a846');
INSERT INTO "audit" VALUES(17,'2026-06-01 12:00:00.057319','push','intent claimed','f703bda896edde4de66a6ea40d201435','{"action": "create"}','',NULL,'cc1c0e174c2ce0d0120dba1adf3c9b3345155705d7ae2614aaf1c179b0ba91a3');
INSERT INTO "audit" VALUES(18,'2026-06-01 12:00:00.064859','push','intent confirmed','f703bda896edde4de66a6ea40d201435','{"external_id": "5"}','',NULL,'1f902542b5c42fe7e2664d89b6be10a6643c0bc8f74700e0e618cfcc1af8536f');
INSERT INTO "audit" VALUES(19,'2026-06-01 12:00:00.073357','push','intent claimed','7559c3cfefae8567e2f7f7afec059481','{"action": "create"}','',NULL,'16a532174b1ec10576f069a7c60c324b73c8b2030c29382e211f9b2bf3d65559');
INSERT INTO "audit" VALUES(20,'2026-06-01 12:00:00.076816','push','intent confirmed','7559c3cfefae8567e2f7f7afec059481','{"external_id": "6"}','',NULL,'a5991af7f606869b44d5733c89323c0531fe81f7bf9f44df39575a9aabd208c1');
INSERT INTO "audit" VALUES(21,'2026-06-01 14:00:00.004535','push','intent recorded','6e05629c4eae0b817f625d5f20c9aea0','{"action": "resolve", "issue_id": "ISS-0"}','P2, regression, 4 signals',0.91,'079ef4dab9c5682219d44291c67a89f467c1fe6d011fd131e0bfae60b8d8846c');
INSERT INTO "audit" VALUES(22,'2026-06-01 14:00:00.004535','push','intent recorded','9cd596576940485203566c07247e713e','{"action": "update", "issue_id": "ISS-1"}','P1, regression, 4 signals',0.91,'fc5a60cad792ba4404b6d4b472d9ff093f0e7cbb12a58983c110568e31a23b8e');
INSERT INTO "audit" VALUES(23,'2026-06-01 14:00:00.004535','push','intent recorded','08a44c66bdc9c00b43f361d02b617a96','{"action": "create", "issue_id": "ISS-8"}','P1, regression, 4 signals',0.91,'ac854ec0a1625617e557ab92dedb5d7bba040752aa25b507e0905253ff9734b1');
INSERT INTO "audit" VALUES(24,'2026-06-01 14:00:00.004535','push','intent recorded','c2f4ef50ef8ed7d1cdf28123d15accd0','{"action": "update", "issue_id": "ISS-2"}','P1, regression, 4 signals',0.91,'2cd64e8d517a63ab6fd7640f02f44ad4bd81644d899ac0fd437c56010b2fca7b');
INSERT INTO "audit" VALUES(25,'2026-06-01 14:00:00.031812','push','intent claimed','6e05629c4eae0b817f625d5f20c9aea0','{"action": "resolve"}','',NULL,'727e1125e88f14ab5476044c1613798ad15b470d09e72910be47fecd9cf5eb35');
INSERT INTO "audit" VALUES(26,'2026-06-01 14:00:00.033666','push','intent confirmed','6e05629c4eae0b817f625d5f20c9aea0','{"external_id": "1"}','',NULL,'77c2e6ceaf6926780a829d7b382bc2a3fcac47cbd446a129c3a843f87fb7735c');
INSERT INTO "audit" VALUES(27,'2026-06-01 14:00:00.045039','push','intent claimed','9cd596576940485203566c07247e713e','{"action": "update"}','',NULL,'db9758343aafdf736ec0b0d7d626fc1123f3e6b07a0dad007fde46b0f569f422');
INSERT INTO "audit" VALUES(28,'2026-06-01 14:00:00.047449','push','intent confirmed','9cd596576940485203566c07247e713e','{"external_id": "2"}','',NULL,'67762daf0b4c484163a42aa4baf91f8aadc1c8ec667944ef3929c3a57b7d9466');
INSERT INTO "audit" VALUES(29,'2026-06-01 14:00:00.051871','push','intent claimed','08a44c66bdc9c00b43f361d02b617a96','{"action": "create"}','',NULL,'b6c04a6d6465f047796470a9ecf5246ad3532bdf6cd9769bf0b3c88e6d516e81');
INSERT INTO "audit" VALUES(30,'2026-06-01 14:00:00.055485','push','intent unknown','08a44c66bdc9c00b43f361d02b617a96','{"not_before": "2026-06-01 14:01:00.055485+00:00", "reason": "timed out"}','',NULL,'42f884776c1ee387ccea205328700ea8a6743f60d004fd80f658e163c595e3dd');
INSERT INTO "audit" VALUES(31,'2026-06-01 14:00:00.065377','push','intent claimed','c2f4ef50ef8ed7d1cdf28123d15accd0','{"action": "update"}','',NULL,'3f7dca3cde1232a4e66da72cac8f451d8fdaff3b9b3f45498c9c6f760f3dffe0');
INSERT INTO "audit" VALUES(32,'2026-06-01 14:00:00.067150','push','intent not sent','c2f4ef50ef8ed7d1cdf28123d15accd0','{"not_before": "2026-06-01 14:01:11.490359+00:00", "reason": "connection refused"}','',NULL,'281a48dd86c8e3f23929cc9dbb99280a1c55e5c71347e9587eb6373fa333ab45');
INSERT INTO "audit" VALUES(33,'2026-06-01 14:00:00.076006','push','issue gathered',NULL,'{"destination": "sink", "issue_id": "ISS-6", "owner": "checkout-squad", "umbrella": "UMB-460BE029CD"}','',NULL,'ca1c29507880620e0672d4559571330ac00e25346e35e66fc3d0981244402913');
INSERT INTO "audit" VALUES(34,'2026-06-01 14:00:00.085117','push','intent recorded','a0321b58d546a039377b416c0c4c39aa','{"action": "create", "issue_id": "ISS-1"}','P1, regression, 4 signals',0.91,'89e976f40cf82fe08d52b9ac279284f9531609ba2f2e3863cf00143c46fbb35f');
INSERT INTO "audit" VALUES(35,'2026-06-01 14:00:00.085117','push','intent recorded','0227356c9fc4b3fafe37130f251fb594','{"action": "create", "issue_id": "ISS-8"}','P1, regression, 4 signals',0.91,'43068a86cd98b297b98bb2e41a1523c4afb8ab14383b19063f38eeeee13144c8');
INSERT INTO "audit" VALUES(36,'2026-06-01 14:00:00.085117','push','intent recorded','e7c61347f34ff1aca0308953095b15e8','{"action": "create", "issue_id": "ISS-2"}','P1, regression, 4 signals',0.91,'52b871db9d02f4c64d7618fab59d5937c7c1e753f48666cc74e69f6d0fc7a577');
INSERT INTO "audit" VALUES(37,'2026-06-01 14:00:00.085117','push','intent recorded','4d657c36ccdd05cf4cb6f605d8d22862','{"action": "create", "issue_id": "ISS-3"}','P2, regression, 4 signals',0.91,'c61620caca4db4a8219eea8079e83a7df223c1b3e00fa125d4bdc6a67ce77f77');
INSERT INTO "audit" VALUES(38,'2026-06-01 14:00:00.085117','push','intent recorded','8324cc66d401c68aed5bf6ef0e07b1e6','{"action": "create", "issue_id": "ISS-4"}','P2, regression, 4 signals',0.91,'83ccde0a34e64aa6ce9a437f8d305be2a50ef30c50b7d1e6c2c66f25af9a7fc7');
INSERT INTO "audit" VALUES(39,'2026-06-01 14:00:00.085117','push','intent recorded','227d15f13a6f99d50f5dbf0aa26e593a','{"action": "create", "issue_id": "ISS-5"}','P2, regression, 4 signals',0.91,'de75627379c36211d08c0aa6d9904a4a2bb733c4860dfd545c8cab01fae7450c');
INSERT INTO "audit" VALUES(40,'2026-06-01 14:00:00.085117','push','intent recorded','592557f5eac8441676cc344180ba4c90','{"action": "create", "issue_id": "UMB-460BE029CD"}','more than 5 new tickets an hour for checkout-squad',NULL,'3b9146e204d81a27d5e6cc78d0f2fa62d4c0617c2ad61f3f4664e32f51bdee1d');
INSERT INTO "audit" VALUES(41,'2026-06-01 14:00:00.087737','push','intent claimed','a0321b58d546a039377b416c0c4c39aa','{"action": "create"}','',NULL,'5aab1e72bced46aeb33147205b100bd743bb77b7e9e1e491d24a7456e521167a');
INSERT INTO "audit" VALUES(42,'2026-06-01 14:00:00.091414','push','intent confirmed','a0321b58d546a039377b416c0c4c39aa','{"external_id": "mISS1sink"}','',NULL,'321d530b8e5e31a35d449196fdb61ba03433a241999ad81c019e5b5acdfb7e51');
INSERT INTO "audit" VALUES(43,'2026-06-01 14:00:00.096083','push','intent claimed','0227356c9fc4b3fafe37130f251fb594','{"action": "create"}','',NULL,'7d29c51199d3db7ae20e212ee9b87d2de7eca3a423f43019f52ee3f3bf9c9b2e');
INSERT INTO "audit" VALUES(44,'2026-06-01 14:00:00.099465','push','intent confirmed','0227356c9fc4b3fafe37130f251fb594','{"external_id": "mISS8sink"}','',NULL,'37a81e6b915af952728eb97b0bb813c312e3d13c8784a1aa7a9ed56331728f59');
INSERT INTO "audit" VALUES(45,'2026-06-01 14:00:00.108121','push','intent claimed','e7c61347f34ff1aca0308953095b15e8','{"action": "create"}','',NULL,'33447d3608a003b275cee50afa474f22a1423121d8128a8c0d2a1849f838ff5e');
INSERT INTO "audit" VALUES(46,'2026-06-01 14:00:00.112313','push','intent confirmed','e7c61347f34ff1aca0308953095b15e8','{"external_id": "mISS2sink"}','',NULL,'a3184fce33afe7ada152b484c04974b2b402096799cfe6d740e2165260379eb3');
INSERT INTO "audit" VALUES(47,'2026-06-01 14:00:00.117841','push','intent claimed','4d657c36ccdd05cf4cb6f605d8d22862','{"action": "create"}','',NULL,'947f48a230084a99ddba508eedfc6b5b8595d9b6743406326c992ceb2428a37d');
INSERT INTO "audit" VALUES(48,'2026-06-01 14:00:00.123506','push','intent confirmed','4d657c36ccdd05cf4cb6f605d8d22862','{"external_id": "mISS3sink"}','',NULL,'6d99ec384d73b3781876263ce444488825eafa9d35a516454b1f6cf6ed8e44dd');
INSERT INTO "audit" VALUES(49,'2026-06-01 14:00:00.126669','push','intent claimed','8324cc66d401c68aed5bf6ef0e07b1e6','{"action": "create"}','',NULL,'220fd2d29af8396ae1a049840f2e671bc73f2676d531f1eda2cc855c1dbde8d8');
INSERT INTO "audit" VALUES(50,'2026-06-01 14:00:00.131438','push','intent confirmed','8324cc66d401c68aed5bf6ef0e07b1e6','{"external_id": "mISS4sink"}','',NULL,'3795e898ab1a51d1406bb77428b58f01f4964b4beb56fd129eba5218303751e9');
INSERT INTO "audit" VALUES(51,'2026-06-01 14:00:00.136325','push','intent claimed','227d15f13a6f99d50f5dbf0aa26e593a','{"action": "create"}','',NULL,'069cabf7a89c895619d7abf2804da0d1f3e090f4fdd9c1485059218595f68a8e');
INSERT INTO "audit" VALUES(52,'2026-06-01 14:00:00.142534','push','intent confirmed','227d15f13a6f99d50f5dbf0aa26e593a','{"external_id": "mISS5sink"}','',NULL,'2af4eda8f2d6cbd2bdee9d07c9f9517e485e0b9fab580297ec72557a33be3c85');
INSERT INTO "audit" VALUES(53,'2026-06-01 14:00:00.148137','push','intent claimed','592557f5eac8441676cc344180ba4c90','{"action": "create"}','',NULL,'49324115ce89638e510a79e6153f1ad737f52e8c51534332296e947d5abb2454');
INSERT INTO "audit" VALUES(54,'2026-06-01 14:00:00.151436','push','intent confirmed','592557f5eac8441676cc344180ba4c90','{"external_id": "mUMB460BE029CDsink"}','',NULL,'a27a59739e4214ccb64d5ab9ceffb3faaaea8c997b0dc731338adb8291e8f3c3');
INSERT INTO "audit" VALUES(55,'2026-06-01 14:01:00.011453','push','intent recorded','5df16b717e456b520d9fc9650ce466f4','{"action": "create", "issue_id": "ISS-9"}','P1, regression, 4 signals',0.91,'42f1ea61ab939570a9d2b1f231b5af9053981908fe05b0ea214f074704f4b0d2');
INSERT INTO "audit" VALUES(56,'2026-06-01 14:01:00.026414','push','intent claimed','5df16b717e456b520d9fc9650ce466f4','{"action": "create"}','',NULL,'9723ea30020f24e0e175ea23418ec2cd8b20aa41722b3f05969005737addf983');
INSERT INTO "audit" VALUES(57,'2026-06-01 14:01:00.035703','push','intent unknown','5df16b717e456b520d9fc9650ce466f4','{"not_before": "2026-06-01 14:01:00.035703+00:00", "reason": "timed out"}','',NULL,'c5de395f8f177301c6d785d66bd510b27ecfbc8d8aae66e9b8627a015a3f6927');
INSERT INTO "audit" VALUES(58,'2026-06-01 14:06:00.009267','push','intent held','5df16b717e456b520d9fc9650ce466f4','{}','',NULL,'e61cf29eaba1a4e1326e52fe68e0086981ead14a11ae50af9564e36c7bd28f32');
CREATE TABLE audit_end (
	id INTEGER NOT NULL, 
	audit_id INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "audit_end" VALUES(1,58,'e61cf29eaba1a4e1326e52fe68e0086981ead14a11ae50af9564e36c7bd28f32');
CREATE TABLE intents (
	intent_id VARCHAR(32) NOT NULL, 
	issue_id VARCHAR(200) NOT NULL, 
	destination VARCHAR(100) NOT NULL, 
	sequence INTEGER NOT NULL, 
	action VARCHAR(10) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	marker VARCHAR(32) NOT NULL, 
	payload_hash VARCHAR(64) NOT NULL, 
	payload TEXT NOT NULL, 
	external_id VARCHAR(200), 
	url VARCHAR(2000), 
	reason TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	not_before DATETIME NOT NULL, 
	lease_until DATETIME, 
	confirmed_at DATETIME, 
	exported_at DATETIME, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, owner VARCHAR(100) DEFAULT '' NOT NULL, is_head BOOLEAN DEFAULT 1 NOT NULL, swept_at DATETIME, sweeps INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (intent_id), 
	CONSTRAINT one_intent_at_a_time UNIQUE (destination, issue_id, sequence), 
	CONSTRAINT create_is_first CHECK ((sequence = 0 and action = 'create') or (sequence > 0 and action <> 'create'))
);
INSERT INTO "intents" VALUES('d01efbb607c7971be30b9e85aa354a3a','ISS-0','sim',0,'create','confirmed','mISS0sim','2f3bf48159f36661f6b87762cb7068a8c39b730dadc293a5e1a8d1eae65f054c','{"body": "open\n\n<!-- feedback-control:mISS0sim -->\n", "issue_id": "ISS-0", "labels": ["feedback-control"], "marker": "mISS0sim", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P2", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P2] Issue 0"}','1','https://tracker.example/1','',1,'2026-06-01 12:00:00.015154',NULL,'2026-06-01 12:00:00.022344','2026-06-01 12:00:00.085766','2026-06-01 12:00:00.015154','2026-06-01 12:00:00.022344','checkout-squad',0,NULL,0);
INSERT INTO "intents" VALUES('b6b1afd3bf7d230d1c0577a128060161','ISS-1','sim',0,'create','confirmed','mISS1sim','88009f718a857b9000ae9b4f08cc459e5dbdef60ec57ba114fae342cb4eb36e4','{"body": "open\n\n<!-- feedback-control:mISS1sim -->\n", "issue_id": "ISS-1", "labels": ["feedback-control"], "marker": "mISS1sim", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P2", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P2] Issue 1"}','2','https://tracker.example/2','',1,'2026-06-01 12:00:00.015154',NULL,'2026-06-01 12:00:00.032683','2026-06-01 12:00:00.085766','2026-06-01 12:00:00.015154','2026-06-01 12:00:00.032683','checkout-squad',0,NULL,0);
INSERT INTO "intents" VALUES('768dd7b1a9ebac462ee06f4b6f4307bc','ISS-2','sim',0,'create','confirmed','mISS2sim','01db58c34fe2cf5041a082476b9eb02841f6900a04bf11bd5f9da99c3ffe4f22','{"body": "open\n\n<!-- feedback-control:mISS2sim -->\n", "issue_id": "ISS-2", "labels": ["feedback-control"], "marker": "mISS2sim", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P2", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P2] Issue 2"}','3','https://tracker.example/3','',1,'2026-06-01 12:00:00.015154',NULL,'2026-06-01 12:00:00.040678','2026-06-01 12:00:00.085766','2026-06-01 12:00:00.015154','2026-06-01 12:00:00.040678','checkout-squad',0,NULL,0);
INSERT INTO "intents" VALUES('5774f9db43100fe5875791b3f507035b','ISS-3','sim',0,'create','confirmed','mISS3sim','15fd90696e755b40ba40f2ff362eb60faf3457d544fd582df91ddf805eaa53fa','{"body": "open\n\n<!-- feedback-control:mISS3sim -->\n", "issue_id": "ISS-3", "labels": ["feedback-control"], "marker": "mISS3sim", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P2", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P2] Issue 3"}','4','https://tracker.example/4','',1,'2026-06-01 12:00:00.015154',NULL,'2026-06-01 12:00:00.050005','2026-06-01 12:00:00.085766','2026-06-01 12:00:00.015154','2026-06-01 12:00:00.050005','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('f703bda896edde4de66a6ea40d201435','ISS-4','sim',0,'create','confirmed','mISS4sim','d5f648f28c1cfd57711e0dc2c3c65c637908159688957cb25963ad44569ccec5','{"body": "open\n\n<!-- feedback-control:mISS4sim -->\n", "issue_id": "ISS-4", "labels": ["feedback-control"], "marker": "mISS4sim", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P2", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P2] Issue 4"}','5','https://tracker.example/5','',1,'2026-06-01 12:00:00.015154',NULL,'2026-06-01 12:00:00.064859','2026-06-01 12:00:00.085766','2026-06-01 12:00:00.015154','2026-06-01 12:00:00.064859','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('7559c3cfefae8567e2f7f7afec059481','UMB-BD1AD3E233','sim',0,'create','confirmed','mUMBBD1AD3E233sim','733f03838edb457f399cbe70d77ce7b414cd50266c096952afb71375bc88fc77','{"body": "open\n\n<!-- feedback-control:mUMBBD1AD3E233sim -->\n", "issue_id": "UMB-BD1AD3E233", "labels": ["feedback-control"], "marker": "mUMBBD1AD3E233sim", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P2", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P2] 2 issues at once"}','6','https://tracker.example/6','',1,'2026-06-01 12:00:00.015154',NULL,'2026-06-01 12:00:00.076816','2026-06-01 12:00:00.085766','2026-06-01 12:00:00.015154','2026-06-01 12:00:00.076816','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('6e05629c4eae0b817f625d5f20c9aea0','ISS-0','sim',1,'resolve','confirmed','mISS0sim','a954b18567c6fc943ebe55194219f0c7a5ebde24faa0db8b0fb57f3a2eeed89a','{"body": "resolved\n\n<!-- feedback-control:mISS0sim -->\n", "issue_id": "ISS-0", "labels": ["feedback-control"], "marker": "mISS0sim", "note": "Resolved: complaints are back to their usual rate. The ticket now shows the final numbers.", "note_key": "04bbc8f3a03ebc7f1172c158", "owner": "checkout-squad", "priority": "P2", "reopens": false, "sequence": "20260501000000000000-000001", "status": "resolved", "title": "[P2] Issue 0"}','1','https://tracker.example/1','',1,'2026-06-01 14:00:00.004535',NULL,'2026-06-01 14:00:00.033666','2026-06-01 14:00:00.176159','2026-06-01 14:00:00.004535','2026-06-01 14:00:00.033666','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('9cd596576940485203566c07247e713e','ISS-1','sim',1,'update','confirmed','mISS1sim','a9bc73dbe44d502348b01a8caf234345d91c99b6da0cb0cd761482922414dc3a','{"body": "open\n\n<!-- feedback-control:mISS1sim -->\n", "issue_id": "ISS-1", "labels": ["feedback-control"], "marker": "mISS1sim", "note": "Priority raised from P2 to P1.", "note_key": "e699eb33f30487bccfddd3ec", "owner": "checkout-squad", "priority": "P1", "reopens": false, "sequence": "20260501000000000000-000001", "status": "open", "title": "[P1] Issue 1"}','2','https://tracker.example/2','',1,'2026-06-01 14:00:00.004535',NULL,'2026-06-01 14:00:00.047449','2026-06-01 14:00:00.176159','2026-06-01 14:00:00.004535','2026-06-01 14:00:00.047449','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('08a44c66bdc9c00b43f361d02b617a96','ISS-8','sim',0,'create','unknown','mISS8sim','d8a23f5a8607ec19e6f7e6963244129d8cb18ee5451f3f77d7b0bcde671523f5','{"body": "open\n\n<!-- feedback-control:mISS8sim -->\n", "issue_id": "ISS-8", "labels": ["feedback-control"], "marker": "mISS8sim", "note": "", "note_key": "", "owner": "logistics-desk", "priority": "P1", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P1] Issue 8"}',NULL,NULL,'timed out',1,'2026-06-01 14:01:00.055485',NULL,NULL,NULL,'2026-06-01 14:00:00.004535','2026-06-01 14:00:00.055485','logistics-desk',1,NULL,0);
INSERT INTO "intents" VALUES('c2f4ef50ef8ed7d1cdf28123d15accd0','ISS-2','sim',1,'update','pending','mISS2sim','297942ce89ccaa33faf3d76978b63a27cfe2fe2e6ee9822badb974e0e5411bed','{"body": "open\n\n<!-- feedback-control:mISS2sim -->\n", "issue_id": "ISS-2", "labels": ["feedback-control"], "marker": "mISS2sim", "note": "Priority raised from P2 to P1.", "note_key": "b149b9d4366f60cd534a0d15", "owner": "checkout-squad", "priority": "P1", "reopens": false, "sequence": "20260501000000000000-000001", "status": "open", "title": "[P1] Issue 2 renamed"}','3','https://tracker.example/3','connection refused',1,'2026-06-01 14:01:11.490359',NULL,NULL,NULL,'2026-06-01 14:00:00.004535','2026-06-01 14:00:00.067150','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('a0321b58d546a039377b416c0c4c39aa','ISS-1','sink',0,'create','confirmed','mISS1sink','9dc50002e759b225741c82f117a5af9eea9bd07065048cd9050868ef2213a6a4','{"body": "open\n\n<!-- feedback-control:mISS1sink -->\n", "issue_id": "ISS-1", "labels": ["feedback-control"], "marker": "mISS1sink", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P1", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P1] Issue 1"}','mISS1sink','https://sink.example','',1,'2026-06-01 14:00:00.085117',NULL,'2026-06-01 14:00:00.091414','2026-06-01 14:00:00.176159','2026-06-01 14:00:00.085117','2026-06-01 14:00:00.091414','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('0227356c9fc4b3fafe37130f251fb594','ISS-8','sink',0,'create','confirmed','mISS8sink','a61dfeadd2a3c926cca2b20d82d262caf2cce5cb2e1bcaa7dfa6742c556fbb23','{"body": "open\n\n<!-- feedback-control:mISS8sink -->\n", "issue_id": "ISS-8", "labels": ["feedback-control"], "marker": "mISS8sink", "note": "", "note_key": "", "owner": "logistics-desk", "priority": "P1", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P1] Issue 8"}','mISS8sink','https://sink.example','',1,'2026-06-01 14:00:00.085117',NULL,'2026-06-01 14:00:00.099465','2026-06-01 14:00:00.176159','2026-06-01 14:00:00.085117','2026-06-01 14:00:00.099465','logistics-desk',1,NULL,0);
INSERT INTO "intents" VALUES('e7c61347f34ff1aca0308953095b15e8','ISS-2','sink',0,'create','confirmed','mISS2sink','094c4f520b9e9c4281b44051231497b283bf8cf5da1723d697d19dc718f16887','{"body": "open\n\n<!-- feedback-control:mISS2sink -->\n", "issue_id": "ISS-2", "labels": ["feedback-control"], "marker": "mISS2sink", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P1", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P1] Issue 2 renamed"}','mISS2sink','https://sink.example','',1,'2026-06-01 14:00:00.085117',NULL,'2026-06-01 14:00:00.112313','2026-06-01 14:00:00.176159','2026-06-01 14:00:00.085117','2026-06-01 14:00:00.112313','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('4d657c36ccdd05cf4cb6f605d8d22862','ISS-3','sink',0,'create','confirmed','mISS3sink','db293ba8bdd69557150360e4264ae9f343c42f6ef1e42183d6251d89b439efc0','{"body": "open\n\n<!-- feedback-control:mISS3sink -->\n", "issue_id": "ISS-3", "labels": ["feedback-control"], "marker": "mISS3sink", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P2", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P2] Issue 3"}','mISS3sink','https://sink.example','',1,'2026-06-01 14:00:00.085117',NULL,'2026-06-01 14:00:00.123506','2026-06-01 14:00:00.176159','2026-06-01 14:00:00.085117','2026-06-01 14:00:00.123506','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('8324cc66d401c68aed5bf6ef0e07b1e6','ISS-4','sink',0,'create','confirmed','mISS4sink','f25dbfd5d100a0efd4010d1d9b4027798240755cdfa6a843df6fb1398c5ee5f1','{"body": "open\n\n<!-- feedback-control:mISS4sink -->\n", "issue_id": "ISS-4", "labels": ["feedback-control"], "marker": "mISS4sink", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P2", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P2] Issue 4"}','mISS4sink','https://sink.example','',1,'2026-06-01 14:00:00.085117',NULL,'2026-06-01 14:00:00.131438','2026-06-01 14:00:00.176159','2026-06-01 14:00:00.085117','2026-06-01 14:00:00.131438','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('227d15f13a6f99d50f5dbf0aa26e593a','ISS-5','sink',0,'create','confirmed','mISS5sink','0b8360e41c1d4f76745a335481727927fae799df4efae1e893ca654efff89d91','{"body": "open\n\n<!-- feedback-control:mISS5sink -->\n", "issue_id": "ISS-5", "labels": ["feedback-control"], "marker": "mISS5sink", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P2", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P2] Issue 5"}','mISS5sink','https://sink.example','',1,'2026-06-01 14:00:00.085117',NULL,'2026-06-01 14:00:00.142534','2026-06-01 14:00:00.176159','2026-06-01 14:00:00.085117','2026-06-01 14:00:00.142534','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('592557f5eac8441676cc344180ba4c90','UMB-460BE029CD','sink',0,'create','confirmed','mUMB460BE029CDsink','43a817ad955f5430b36a5b3adc9fe65c888044ace1c7b74b8d9081e9c82e8093','{"body": "open\n\n<!-- feedback-control:mUMB460BE029CDsink -->\n", "issue_id": "UMB-460BE029CD", "labels": ["feedback-control"], "marker": "mUMB460BE029CDsink", "note": "", "note_key": "", "owner": "checkout-squad", "priority": "P2", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P2] 1 issues at once"}','mUMB460BE029CDsink','https://sink.example','',1,'2026-06-01 14:00:00.085117',NULL,'2026-06-01 14:00:00.151436','2026-06-01 14:00:00.176159','2026-06-01 14:00:00.085117','2026-06-01 14:00:00.151436','checkout-squad',1,NULL,0);
INSERT INTO "intents" VALUES('5df16b717e456b520d9fc9650ce466f4','ISS-9','mailbox',0,'create','held','mISS9mailbox','5364a6cd73a4879a50d22d309e6e4bf69614fa48c4a3f96bf140509dfe938fd4','{"body": "open\n\n<!-- feedback-control:mISS9mailbox -->\n", "issue_id": "ISS-9", "labels": ["feedback-control"], "marker": "mISS9mailbox", "note": "", "note_key": "", "owner": "logistics-desk", "priority": "P1", "reopens": false, "sequence": "20260501000000000000-000000", "status": "open", "title": "[P1] Issue 9"}',NULL,NULL,'timed out',1,'2026-06-01 14:01:00.035703',NULL,NULL,NULL,'2026-06-01 14:01:00.011453','2026-06-01 14:06:00.009267','logistics-desk',1,NULL,0);
CREATE TABLE pulls (
	destination VARCHAR(100) NOT NULL, 
	pulled_until DATETIME, 
	hold_until DATETIME, 
	PRIMARY KEY (destination)
);
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	born_at DATETIME NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(1,'2026-05-01 00:00:00.000000');
CREATE TABLE tellings (
	telling_id INTEGER NOT NULL, 
	destination VARCHAR(100) NOT NULL, 
	event_id VARCHAR(32) NOT NULL, 
	intent_id VARCHAR(32) NOT NULL, 
	event TEXT NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	not_before DATETIME NOT NULL, 
	hold_until DATETIME, 
	created_at DATETIME NOT NULL, 
	told_at DATETIME, 
	PRIMARY KEY (telling_id), 
	CONSTRAINT one_telling_each UNIQUE (destination, event_id), 
	FOREIGN KEY(intent_id) REFERENCES intents (intent_id)
);
INSERT INTO "tellings" VALUES(1,'sink','962bb2c9715329e5d211dc0b5aa36da8','6e05629c4eae0b817f625d5f20c9aea0','{"specversion": "1.0", "id": "962bb2c9715329e5d211dc0b5aa36da8", "source": "feedback-control", "type": "feedback-control.ticket.closed.v1", "subject": "ISS-0", "time": "2026-06-01T14:00:00.033666+00:00", "sequence": "20260501000000000000-000001", "datacontenttype": "application/json", "dataschema": "urn:feedback-control:ticket:v1", "data": {"issue_id": "ISS-0", "destination": "sim", "external_id": "1", "url": "https://tracker.example/1", "priority": "P2"}}',1,'connection refused','2026-06-01 14:01:00.224066',NULL,'2026-06-01 14:00:00.176159',NULL);
INSERT INTO "tellings" VALUES(2,'sink','ae9213ee3b877ce6d2b4f11d8edb9de4','9cd596576940485203566c07247e713e','{"specversion": "1.0", "id": "ae9213ee3b877ce6d2b4f11d8edb9de4", "source": "feedback-control", "type": "feedback-control.ticket.updated.v1", "subject": "ISS-1", "time": "2026-06-01T14:00:00.047449+00:00", "sequence": "20260501000000000000-000001", "datacontenttype": "application/json", "dataschema": "urn:feedback-control:ticket:v1", "data": {"issue_id": "ISS-1", "destination": "sim", "external_id": "2", "url": "https://tracker.example/2", "priority": "P1"}}',0,'','2026-06-01 14:00:00.176159',NULL,'2026-06-01 14:00:00.176159',NULL);
CREATE TABLE umbrella_members (
	destination VARCHAR(100) NOT NULL, 
	issue_id VARCHAR(200) NOT NULL, 
	umbrella_id VARCHAR(200) NOT NULL, 
	joined_at DATETIME NOT NULL, 
	PRIMARY KEY (destination, issue_id)
);
INSERT INTO "umbrella_members" VALUES('sim','ISS-5','UMB-BD1AD3E233','2026-06-01 12:00:00.000032');
INSERT INTO "umbrella_members" VALUES('sim','ISS-6','UMB-BD1AD3E233','2026-06-01 12:00:00.000032');
INSERT INTO "umbrella_members" VALUES('sink','ISS-6','UMB-460BE029CD','2026-06-01 14:00:00.076006');
CREATE INDEX ix_intents_state ON intents (state);
CREATE INDEX ix_attempts_intent_id ON attempts (intent_id);
CREATE INDEX attempts_holding ON attempts (destination, hold_until);
CREATE INDEX ix_audit_intent_id ON audit (intent_id);
CREATE INDEX intents_to_sweep ON intents (destination, action, sweeps);
CREATE INDEX intents_heads ON intents (destination, is_head, state);
CREATE INDEX intents_to_export ON intents (exported_at, confirmed_at);
CREATE INDEX ix_umbrella_members_umbrella_id ON umbrella_members (umbrella_id);
CREATE TRIGGER audit_no_update before update on audit begin select raise(abort, 'the audit log is append-only'); end;
CREATE TRIGGER audit_no_delete before delete on audit begin select raise(abort, 'the audit log is append-only'); end;
CREATE INDEX ix_tellings_intent_id ON tellings (intent_id);
CREATE INDEX tellings_due ON tellings (destination, told_at, not_before);
CREATE INDEX tellings_holding ON tellings (destination, hold_until);
CREATE INDEX intents_markers ON intents (destination, marker);
CREATE INDEX intents_open ON intents (destination, is_head, action);
CREATE INDEX intents_lately ON intents (destination, created_at);
COMMIT;

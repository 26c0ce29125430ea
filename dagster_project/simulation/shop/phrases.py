"""English sentences of the simulated customers: one small grammar per issue type.

``{a|b}`` is a choice, ``[x]`` appears half of the time, both nest; ``<slot>`` is filled by ``texts.py``. Each type has
problems (the sentence with the complaint), details (optional further sentences) and titles (review titles, ticket
subjects). Plain data: edit here to change the demo's texts.
"""

from __future__ import annotations

from typing import NamedTuple


class Phrases(NamedTuple):
    """The grammar of one issue type in one language."""

    problems: tuple[str, ...]
    details: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()


RETURNED_FOR_NO_FAULT = Phrases(
    (
        "{Changed my mind|I changed my mind|No longer needed|Not needed any more}[, {unused|never opened|still sealed}]",
        "{Bought as a gift|It was a gift}, {already has one|not needed}",
        "Ordered {two|three} {to choose from|colours}, keeping {one|the other one}",
        "{Ordered by mistake|Ordered twice by mistake}[, {sorry|my fault}]",
    ),
)
"""Notes on returned parcels without a defect."""

ENGLISH: dict[str, Phrases] = {
    "checkout_failure": Phrases(
        (
            "{Checkout|The checkout|Your checkout} {is broken|does not work|fails every time|keeps failing|won't go"
            " through|is completely dead} <since>",
            "{I can't|I cannot|Can't|Unable to|Impossible to} {check out|complete the checkout|finish the checkout|place"
            " my order|place an order|submit my order} <since>",
            "The {'place order'|order|checkout|'buy now'|continue} button {does nothing|is dead|stays grey|just spins|throws"
            " an error|doesn't react} {at checkout|on the last step|in the cart|when I try to order} <since>",
            "{My cart|The cart|My basket|The shopping cart} {empties itself|is emptied|is suddenly empty|loses every item}"
            " {as soon as I|the moment I|every time I} {press checkout|go to checkout|tap on order} <since>",
            "{Checkout|Placing an order|Ordering} {ends in|stops with|only shows|always gives me} {an error|'something went"
            " wrong'|error 500|'order could not be placed'|a white error page} <since>",
            "{Promo code|Discount code|Voucher|Coupon} <coupon> {is rejected|gives an error|is not applied|is not accepted}"
            " at checkout[ and then the {order|whole cart} fails]",
            "{Stuck|I'm stuck|I am stuck} {on|at} the {address|delivery|summary|last} {step|page} of the checkout, {it never"
            " goes on|it always jumps back to the cart|it only reloads} <since>",
        ),
        (
            "{Tried|I tried|Have tried} {three|four|five|six|ten} times{, always the same error| with different items| on"
            " wifi and mobile data|, no luck}",
            "{Everything is|All items are|The <item> is} in the cart but {I can't order it|the order never goes out|no order is"
            " created}",
            "{No confirmation, no order number|No order shows up in my account|The order is never created}",
            "{It worked|Ordering worked|Checkout was} {fine last week|without a problem before|fine in the old version}",
            "{Reinstalled|Cleared the cache|Restarted my phone|Logged out and in again}{, nothing helps| and still the same|,"
            " still cannot order}",
            "{I wanted to buy|I was about to order|Just wanted} the <item>{, now I'll buy it elsewhere| and had to give up|, lost"
            " my patience}",
            "{You are losing customers like this|How do you want to sell anything if nobody can check out?|I would love to"
            " give you my money, but the order won't go through}",
        ),
        (
            "{Checkout|Ordering} {broken|fails|not working|impossible}",
            "Can't {check out|place my order|order anything}",
            "Order {button does nothing|cannot be placed|fails at the last step}",
            "Cart {empties itself|lost at checkout}",
        ),
    ),
    "payment_failure": Phrases(
        (
            "{My|The} {card|credit card|debit card} {was|is|gets} {declined|refused|rejected} {although|even though} {it works"
            " everywhere else|there is enough money on it|it is valid} <since>",
            "{I was|I've been|You} charged {twice|two times|double}[ me]{ for the same order| for <order>| for one purchase}",
            "{Payment|My payment|The payment} {fails|does not go through|was declined|is rejected|hangs at 'processing'}[ with"
            " {card and wallet|every card I have|bank transfer}] <since>",
            "{Money|<amount>} {was taken|has left my account|was debited} but {the payment shows as failed|the payment is"
            " still 'pending'|I got no payment confirmation}",
            "{Gift card|Wallet} top-up of <amount> {failed|never arrived|is missing} but {my bank was debited|I was charged}",
            "{Paying|Payment} by {card|bank transfer|invoice|wallet} {ends in|gives} {'payment provider unavailable'|'payment"
            " declined'|a payment error|a timeout}",
        ),
        (
            "{My bank says|The bank confirms} {everything is fine on their side|the card is not blocked|nothing was blocked}",
            "{Tried|I tried} {two|three|four} different cards{, all declined|, same result}",
            "{I want the second charge back|Please refund the double charge|Please check where my money is}",
            "{The card is|My card is} 4111 1111 1111 1111{, please check| and it is valid}",
            "{It is about|We are talking about} <amount>",
        ),
        (
            "Payment {declined|failed|does not go through}",
            "Charged twice",
            "{Card|Credit card} {declined|rejected for no reason}",
            "{Money gone, payment failed|Payment pending for days}",
        ),
    ),
    "login_account": Phrases(
        (
            "{I can't|Cannot|Can't|Unable to} {log in|sign in|get into my account|login} {any more|since {yesterday|this"
            " morning}|although my password is right|}",
            "{The password reset|Password reset} {mail|link|code} {never arrives|is expired when it arrives|does not work}",
            "{Verification|The sign-up|The login} code {never arrives|comes ten minutes too late|is always 'invalid'}",
            "{My account is|I am} locked {out|for no reason|after one wrong password}{| and nobody unlocks it}",
            "{The app|It|Your site} {logs me out|signs me out|asks for my password} {every day|every time I open it|again and"
            " again}",
            "{Sign up|Registration|Creating an account} {fails|is impossible|ends with 'e-mail already used'}",
        ),
        (
            "{I know|I am sure} my password is {right|correct}",
            "{Requested|Asked for} the {code|link} {four|five|six} times",
            "{All my orders|My points|My addresses} are in {there|that account}",
            "{Fingerprint|Face unlock} {does not log me in either|no longer signs me in}",
        ),
        (
            "Can't log in",
            "{Locked out|Account locked}",
            "Password reset {does not work|mail missing}",
            "Login problems",
        ),
    ),
    "app_crash": Phrases(
        (
            "{The app|App|It} {crashes|closes|shuts down|force closes|quits} {on launch|right after opening|as soon as I open"
            " it|the second it starts} <since>",
            "{The app|App|It} {crashes|keeps crashing|crashes constantly|closes by itself} {when I open a product|when I"
            " scroll|in the middle of everything|every few minutes|when I open my orders} <since>",
            "{The app|App} {won't|does not|doesn't|refuses to} {open|start|launch} {at all|any more|on my phone} <since>",
            "{Crash|Crash after crash|Constant crashes|Nothing but crashes} <since>[, {the app is unusable|I can't even open"
            " it|it closes at once}]",
            "{Opens|It opens|The app opens}, {shows the logo|flashes the start screen|blinks} and {crashes|is gone"
            " again|closes|crashes back to the home screen} <since>",
        ),
        (
            "{Reinstalled|Deleted and reinstalled} {it|the app} {twice|three times}{, still crashing|, same crash}",
            "{Restarted|Rebooted} my <device>, {no change|it still crashes}",
            "{It was|The app was} {stable|fine|running} before{ this version| last week|}",
            "{Happens|It happens} on {my <device>|both of our phones|my phone and my tablet}",
            "{Fix the crashes|Please fix this crash}{ soon|, I can't use it|}",
            "{I can't even|No chance to} {look at my orders|open my cart|see anything} {before it closes|because it crashes}",
        ),
        ("{Crashes|Keeps crashing}", "Crash {on start|every time}", "Won't open", "App {crashes|closes by itself}"),
    ),
    "performance": Phrases(
        (
            "{The app|App|Your site|It} {is|has become|got} {so slow|painfully slow|terribly slow|laggy}",
            "{Pages|Product pages|Pictures|The start page} {take forever to load|load for ages|need {ten|twenty|thirty}"
            " seconds to load}",
            "{It|The app|Everything} {freezes|hangs|lags|stutters} {when scrolling|all the time|for seconds after every tap}",
            "{The app|It} {drains my battery|makes my phone hot|eats all my memory}",
            "{Only a blank page|Just a white screen|An endless spinner} {when I open|instead of} {the start page|my orders|the"
            " catalogue}",
        ),
        (
            "{My internet is fast|Other apps are fast|Wifi is fine}{, only this one is slow|}",
            "{Even on|On} a {new|brand new} <device>",
            "{Please make it faster|Speed it up please}",
        ),
        ("{So slow|Very slow}", "{Laggy|Freezes}", "Loads forever", "Battery drain"),
    ),
    "search_discovery": Phrases(
        (
            "{Search|The search} {finds nothing|shows nothing useful|brings up the wrong things|ignores half of what I type}",
            "{I search for|Searching for|Looked for} the <item> and {get|it shows} {completely different things|phone cases|no"
            " results}",
            "{Can't|Impossible to|I cannot} find {anything|what I am looking for|any <item>} {in the app|any more|with this"
            " search}",
            "{The filters|Filter and sorting|The size filter} {are useless|do not filter anything|are ignored by the search}",
            "{Recommendations|The recommendations|Suggestions} {are irrelevant|have nothing to do with me|always show what I"
            " already bought}",
        ),
        (
            "{I know you have it|The item exists}, {the search just doesn't show it|a friend sent me the link}",
            "{Sorting by price|The price filter} {makes it worse|is ignored}",
        ),
        ("Search {useless|finds nothing}", "Can't find anything", "{Bad|Wrong} search results"),
    ),
    "feature_bug": Phrases(
        (
            "{Push notifications|Notifications} {don't arrive|come twice|arrive hours late|stopped working}",
            "{The wish list|My wish list|Favourites} {does not sync|is empty on my tablet|loses items|does not save}",
            "{The barcode scanner|The size guide|Dark mode|The store finder|Photo upload|The live tracking map} {does not"
            " work|stopped working|shows nonsense|is broken}",
            "{Sound|The video sound|Product videos} {does not play|won't play|cut out}",
            "{Sharing a product|The share button|The widget} {does nothing|opens the wrong product|shows the wrong thing}",
        ),
        (
            "{Turned it off and on|Changed the setting twice}, {no difference|still the same}",
            "{It used to work|This worked before}",
            "{All permissions are granted|Settings are correct}",
        ),
        ("{Notifications|Wish list} {broken|not working}", "A function {stopped working|does not work}", "Bug"),
    ),
    "ui_usability": Phrases(
        (
            "{The new design|The layout|The redesign|The menu} is {confusing|awful|cluttered|a step backwards}",
            "{Far too many|Too many} {taps|clicks|menus|pop-ups} {to get to my orders|for simple things|everywhere}",
            "{The text is|Letters are|Buttons are} {too small|unreadable|hard to hit} {on my phone|for older people|}",
            "{Hard|Difficult|Not easy} to {use|navigate|understand where things are}",
            "{Who designed this|Who put} the {menu|account page|back button} {there|at the bottom|like this}?",
        ),
        (
            "{The old one was clearer|I liked the old layout better}",
            "{Light grey on white|Grey on grey}, {really|seriously}?",
            "{My mother|My dad} {gives up|gets lost} every time",
        ),
        ("{Confusing|Ugly} {design|layout}", "Hard to use", "Bring back the old design"),
    ),
    "inventory_availability": Phrases(
        (
            "The <item> {is|has been} out of stock {for weeks|again|in every size|since forever}",
            "{Everything I want|Half of the catalogue|My size} is {sold out|not available|out of stock}",
            "{Shows|It says} 'available' {but|and then} the <item> {is sold out|can't be had} {in the shop|after all}",
            "{Not available|Unavailable} in {my country|our country|my region}",
            "When will the <item> {be back in stock|be available again}?",
            "{My <device>|My phone} is {not supported|no longer supported}",
        ),
        (
            "{I have been waiting|Waiting} for {weeks|a month} for a restock",
            "{The restock alert never came|No date given}",
        ),
        ("Out of stock", "{Always|Everything} sold out", "Not available {here|in my country}"),
    ),
    "shipping_delivery": Phrases(
        (
            "{My order|My package|My parcel|<order>|The delivery} {has not arrived|still hasn't arrived|is <days> days"
            " late|never arrived|was not delivered}",
            "{Still waiting|I'm still waiting|Waiting} for {my order|my parcel|my package|the delivery of <order>} {after|for}"
            " <days> days",
            "{Tracking|The tracking|Tracking number} {has not moved|has not changed|is stuck} {for|since} <days> days",
            "{Delivery|The delivery|Delivery date} was {promised for|announced for} {Monday|Tuesday|last week|two days ago} and"
            " {nothing came|nobody came|it was moved again}",
            "{The courier|The carrier|The delivery service} {lost my parcel|never rang|delivered to nobody knows whom|says"
            " delivered but nothing is here}",
            "{Shipping|Delivery} {takes forever|is far too slow|took <days> days|is late every time}",
        ),
        (
            "{Tracking says|It says} '{in transit|at the depot|delivery delayed}' {every day|and that's it|since last week}",
            "{It was a birthday present|I needed it for the weekend|I took a day off to receive it}",
            "{Nobody can tell me|No information} {where it is|when it comes}",
            "{Order|It is order} <order>",
            "{Next day delivery|Express delivery} {they said|was promised|I paid for}{| and it took <days> days}",
            "{Where is|So where is} {my parcel|my stuff|my order}?",
        ),
        (
            "{Not delivered|Never arrived|Still not here}",
            "{Late|Very late} delivery",
            "Where is my {order|parcel|package}?",
            "{Parcel|Order} {stuck|lost|delayed}",
        ),
    ),
    "product_defect": Phrases(
        (
            "{The|My} <item> {broke|fell apart|stopped working} after {two|three|four|ten} {days|weeks|uses}",
            "{Got|I received|They sent} the wrong {item|size|colour}, {ordered|I had ordered} the <item>",
            "{Poor|Cheap|Terrible} quality, {the seams come apart|the zip is broken|it wobbles|the plastic cracked}",
            "{The|My} <item> {does not turn on|arrived defective|has a scratch|is defective|does not charge}",
            "{Colour|Size|Material} {is nothing like the picture|is completely off|does not match the description}",
        ),
        (
            "{Expected more|I expected better} {for the price|from you|quality}",
            "{Second one|Already the second one} {with the same defect|that breaks}",
            "{Would not buy again|Not worth it}",
        ),
        ("{Broken|Defective}", "{Poor|Bad} quality", "Wrong {item|size}", "Broke after {days|weeks}"),
    ),
    "packaging": Phrases(
        (
            "{The box|The packaging|The carton} {was crushed|was torn open|arrived soaked|was damaged}",
            "{No padding at all|Packed without any padding|Just thrown into a bag}, {a miracle that it survived|everything"
            " rattled around}",
            "{Far too much|Way too much} {plastic|packaging|cardboard} for {one small item|the <item>}",
            "{Packaging|The wrapping} {was open|looked used|fell apart} {when it arrived|on arrival|}",
        ),
        ("{The item itself is fine|Luckily nothing broke}", "{As a gift|For a gift} {unusable|embarrassing}"),
        ("{Damaged|Crushed} box", "Bad packaging", "Too much plastic"),
    ),
    "pricing_expectation": Phrases(
        (
            "{Way|Far} too expensive, {same thing costs half elsewhere|I found the <item> much cheaper|prices went up again}",
            "{Prices|The prices} {are ridiculous|have doubled|keep rising}",
            "{Too many ads|Ads everywhere|So much advertising} {in the app|between the products|now}",
            "{Advertised|They advertise} {40|50|70} percent off and {it is 5 percent|the price was raised before}",
            "{Misleading|False} {promise|advertising}: {free shipping only above <amount>|the 'sale' price is the normal price}",
        ),
        ("{Not worth the money|I'll buy elsewhere}", "{Feels like a rip-off|This is a rip-off}"),
        ("{Too|Over}priced", "Too expensive", "{Misleading|False} {offer|advertising}", "Ads, ads, ads"),
    ),
    "billing_subscription": Phrases(
        (
            "{You still charge me|I am still being charged|I'm billed} for {the plus membership|the subscription} {I"
            " cancelled|that I ended in spring|after cancelling}",
            "{I can't|Impossible to|How do I} {cancel|end} {my subscription|the plus membership|the free trial}[ anywhere]",
            "{The invoice|My bill|The invoice for <order>} {is wrong|shows a fee of <amount> I never agreed to|has the wrong"
            " address}",
            "{The free trial|Trial} {turned into|became} a paid {subscription|membership} {without warning|without asking}",
            "{I need|Please send me} {an invoice with VAT|a corrected invoice} for <order>",
            "{A service fee|A membership fee} of <amount> {appeared on my statement|was charged without notice}",
        ),
        (
            "{Please cancel it|Cancel the membership}{ now| and refund the fee|}",
            "{Third month in a row|Every month again}",
        ),
        ("{Cancel|Can't cancel} {subscription|membership}", "Wrong invoice", "Unexpected {fee|charge} on my bill"),
    ),
    "returns_refunds": Phrases(
        (
            "{Returned|I returned|Sent back} {the <item>|my order|<order>} {three|four|five} weeks ago and {still no refund|no"
            " refund yet|the refund is missing}",
            "{Where is my refund|When do I get my refund|Still waiting for my refund}[ of <amount>]?",
            "{The return label|Return label} {does not print|is missing|was never sent}",
            "{My return|The return|Exchange} was {refused|rejected|closed} {without a reason|although it was in time}",
            "{I want to|I would like to|I need to} {return|exchange|send back} the <item>",
            "{Only half|Only a part} of {the money|the price} was refunded",
        ),
        ("{It was received|Your warehouse received it} {weeks ago|on the 3rd}", "{It is about|The refund is} <amount>"),
        ("{Refund|Return} {missing|refused|pending}", "Where is my refund?", "Return label"),
    ),
    "customer_service": Phrases(
        (
            "{Customer service|Support|Your support} {never answers|does not reply|ignores my mails|is useless}",
            "{Waited|I waited|Been waiting} {forty minutes|an hour|two hours} {on the hotline|in the chat queue|for an agent}",
            "{The agent|Support|The lady on the phone} {was rude|hung up on me|only sent copy-paste answers|had no clue}",
            "{Third|Fourth|Fifth} {mail|message} {without an answer|and no answer from support}",
            "{Only a chatbot|Nothing but a bot}, {no human to talk to|impossible to reach a person}",
        ),
        (
            "{Everybody sends me to someone else|Passed from one agent to the next}",
            "{This is no service|Terrible service}",
        ),
        ("{No|Never an} answer from support", "{Terrible|Rude} customer service", "Nobody answers"),
    ),
    "security_privacy": Phrases(
        (
            "{Someone|A stranger} {logged into|hacked|took over} my account and {ordered things|changed my address}",
            "{I got|Received} a {fake|phishing} {mail|message} {in your name|with my order details}",
            "{Why does the app want|The app wants|Why do you need} {my contacts|my location all the time|microphone access}?",
            "{Please delete|I want you to delete} {my data|my account and all my data}{ under GDPR| as the law says|}",
            "{There is an order|There are orders} in my account that {I never placed|is not mine}, {fraud|stolen card data}",
        ),
        ("{I have reported it to the police|I filed a report}", "{Who has my data|I feel unsafe} now"),
        ("Account hacked", "{Fraud|Phishing}", "{Privacy|Data protection}", "Delete my data"),
    ),
    "feature_request": Phrases(
        (
            "{Please add|Would love to see|It would be great to have|Missing:} {dark mode|a wish list I can share|Apple"
            " Watch support|a compare function|a widget|gift wrapping|a filter by brand|landscape mode for tablets}",
            "{Could you|Can you please} add {an option to save several carts|order export as PDF|a size"
            " recommendation|delivery to a parcel locker|price alerts}?",
            "{I wish|Wish} {I could|it was possible to} {sort by newest|hide sold out items|set a delivery day|split the"
            " order over two addresses}",
            "{Suggestion|Idea}: {let us rate sellers|show the unit price|notify me when the price drops|offer a family account}",
        ),
        ("{Then five stars|That would make it perfect}", "{Other shops have that|Many people ask for that}"),
        ("{Feature request|Suggestion|Wish}", "Please add {dark mode|an option|this}", "One thing is missing"),
    ),
    "praise": Phrases(
        (
            "{Great|Fantastic|Excellent|Really good|Lovely|Super} {app|shop|service|experience}[, {easy to use|always"
            " reliable|very happy|recommended}]",
            "{Fast delivery|Quick delivery}, {great quality|well packed|exactly as described|good price}",
            "{Love it|I love this app|Love this shop|Love my new <item>}[, {best shopping app|perfect fit|thank you}]",
            "{Everything|All} {worked perfectly|as expected|went smoothly|was perfect}",
            "{Very|So|Really} {happy|satisfied|pleased} with {my order|the <item>|the service|everything}",
            "{The|My} <item> is {great|perfect|beautiful|exactly what I wanted|better than expected}",
            "{Support|Customer service|The chat agent} was {friendly|super helpful|quick} and {solved everything|sorted it"
            " out|helped at once}",
            "{Best|My favourite} {shop|shopping app} {ever|by far|on my phone}",
        ),
        (
            "{Will order again|Would buy again|Highly recommended|Thank you}",
            "{Keep it up|Well done|Good job}",
            "{Ordered|Bought} {three|four|many} times{, always good|, never a problem}",
        ),
        ("{Great|Love it|Perfect|Excellent|Top}", "{Very|So} {happy|good}", "Five stars", "{Best|Great} {app|shop}"),
    ),
    "other": Phrases(
        (
            "{Just a question|Quick question|Hi}, {what are your opening hours|do you have a shop in Leeds|do you also sell to"
            " companies}?",
            "{Ok|It's ok|Fine|Average|So so|Meh}",
            "{Downloaded it today|Just installed it}, {we'll see|will report back|no opinion yet}",
            "{Does the <item> come with a manual|Does anyone know who makes the <item>|Do you know whether the <item> is vegan}?",
            "{My neighbour told me about this app|Saw you on television|My daughter installed this}",
            "{Who won the raffle|Is the shop on Market Street yours|Are you hiring}?",
        ),
        ("{Thanks|Thank you} {in advance|}", "{No hurry|Not urgent}"),
        ("{Question|A question}", "{Ok|Average}", "Hello"),
    ),
}

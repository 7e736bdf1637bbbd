*** Comments ***
The firmware of mbs in Renode, asked through the real client, and the flash sequencer of renode/models held to renode/faci.json.
Run by `npm run test:renode`, which knows where node and Renode are; `renode-test renode/ek-ra6m5.robot` does as well after a build.

*** Settings ***
Library           Process
Library           OperatingSystem
Library           String
Library           Collections
Suite Setup       Setup
Suite Teardown    Teardown
Test Setup        Prepare
Test Teardown     Clean Up
Test Timeout      10 minutes
Resource          ${RENODEKEYWORDS}

*** Variables ***
${NODE}       node
${MBS}        ${CURDIR}/../dist/host/cli/main.js
${ELF}        ${CURDIR}/../build/ek-ra6m5.elf
${PATIENCE}   240s
${CREATE_SNAPSHOT_ON_FAIL}    False

*** Keywords ***
Prepare
    Reset Emulation
    ${folder}=                  Evaluate                    tempfile.mkdtemp(prefix="mbs-renode-")    modules=tempfile
    Set Test Variable           ${FOLDER}                   ${folder}
    Set Environment Variable    MBS_CONFIG_DIR              ${folder}/config
    Remove Environment Variable    MBS_PORT

Clean Up
    Terminate All Processes
    Test Teardown
    Remove Directory            ${FOLDER}                   recursive=True

Plug In
    [Documentation]    A board with this firmware and nothing else, or with the flash that a file keeps.
    [Arguments]                 ${flash}=    ${image}=
    Execute Command             $elf="${ELF}"
    Execute Command             $image="${image}"
    Execute Command             $flash="${flash}"
    Execute Command             $port=0
    Execute Command             include @${CURDIR}/ek-ra6m5.resc
    ${port}=                    Execute Command             uart Port
    ${port}=                    Evaluate                    int($port.strip(), 16)
    Set Test Variable           ${PORT}                     tcp:127.0.0.1:${port}

Mbs
    [Documentation]    One command of the client that must succeed; what it prints on stdout.
    [Arguments]                 @{arguments}
    ${result}=                  Run Process                 ${NODE}    ${MBS}    --port    ${PORT}    @{arguments}    timeout=${PATIENCE}    on_timeout=kill    stdin=NONE
    Should Be Equal As Integers    ${result.rc}             0    mbs @{arguments}: ${result.stderr}
    RETURN                      ${result.stdout}

Mbs Refuses
    [Documentation]    One command of the client that must fail; what it prints on stderr.
    [Arguments]                 @{arguments}
    ${result}=                  Run Process                 ${NODE}    ${MBS}    --port    ${PORT}    @{arguments}    timeout=${PATIENCE}    on_timeout=kill    stdin=NONE
    Should Not Be Equal As Integers    ${result.rc}         0    mbs @{arguments}: ${result.stdout}
    RETURN                      ${result.stderr}

Provision
    [Documentation]    A root, slots and two operators; the simulated person touches S1 once.
    Create File                 ${FOLDER}/device.toml       [instance]\nname = "renode-1"\n\n[[operator]]\nid = "ops"\nrole = "admin"\n\n[[operator]]\nid = "deploy"\nrole = "user"\n
    Mbs                         config    set    keys    file
    Execute Command             port0.person Present true
    Mbs                         --yes    provision    ${FOLDER}/device.toml
    Execute Command             port0.person Present false

No Faults
    ${faults}=                  Execute Command             faci FaultList
    Should Be Equal             ${faults.strip()}           ${EMPTY}

Records
    ${list}=                    Mbs                         --json    list
    ${labels}=                  Evaluate                    sorted(record["label"] for record in json.loads($list)["entries"])    modules=json
    RETURN                      ${labels}

Light Should Be On
    [Arguments]                 ${light}
    ${state}=                   Execute Command             port0.led_${light} State
    Should Be Equal             ${state.strip()}            True

Wait For Power Cut
    ${powered}=                 Execute Command             faci Powered
    Should Be Equal             ${powered.strip()}          False

Switch On Again
    Execute Command             pause
    Execute Command             runMacro $power
    Execute Command             start

# The conformance list.

Number
    [Arguments]                 ${text}
    ${number}=                  Evaluate                    int($registers.get($text, $text), 0)
    RETURN                      ${number}

Ready
    ${status}=                  Execute Command             sysbus ReadDoubleWord ${FSTATR}
    ${ready}=                   Evaluate                    int($status.strip(), 16) & 0x8000
    RETURN                      ${ready}

Let Time Pass
    Execute Command             emulation RunFor "0.2"

Set Up Sequencer
    Execute Command             cpu IsHalted true
    FOR    ${step}    IN    @{sequences}[setup]
        Take Step               ${step}
    END

Take Step
    [Arguments]                 ${step}
    @{words}=                   Split String                ${step}
    ${verb}=                    Set Variable                ${words}[0]
    ${width}=                   Evaluate                    {"8": "Byte", "16": "Word", "32": "DoubleWord"}.get($verb.lstrip("adeirtw"))
    IF    $verb.startswith("write")
        ${place}=               Number                      ${words}[1]
        Execute Command         sysbus Write${width} ${place} ${words}[2]
    ELSE IF    $verb.startswith("read")
        ${place}=               Number                      ${words}[1]
        ${answer}=              Execute Command             sysbus Read${width} ${place}
        ${mask}=                Evaluate                    int($words[3], 0) if len($words) > 3 else 0xffffffff
        ${answer}=              Evaluate                    hex(int($answer.strip(), 16) & $mask)
        ${expected}=            Evaluate                    hex(int($words[2], 0))
        Should Be Equal         ${answer}                   ${expected}    ${step}
    ELSE IF    $verb == "halfwords"
        ${first}=               Number                      ${words}[2]
        FOR    ${i}    IN RANGE    ${words}[1]
            ${value}=           Evaluate                    $first + $i
            Execute Command     sysbus WriteWord ${COMMAND} ${value}
        END
    ELSE IF    $verb == "wait"
        FOR    ${turn}    IN RANGE    20
            ${ready}=           Ready
            IF    ${ready}      RETURN
            Let Time Pass
        END
        Fail                    the sequencer does not get ready
    ELSE IF    $verb == "stick"
        Execute Command         faci Stick ${words}[1] "${words}[2]"
    ELSE IF    $verb == "cut"
        ${share}=               Evaluate                    {"before": "-1.0", "half": "0.5", "after": "2.0"}[$words[2]]
        Execute Command         faci CutPower ${words}[1] ${share}
    ELSE IF    $verb == "lose"
        Execute Command         sysbus WriteByte ${COMMAND} 0xD0
        Let Time Pass
        Ready
        Wait For Power Cut
        Execute Command         runMacro $power
        Set Up Sequencer
    ELSE
        Fail                    no step has this name: ${step}
    END

Take Sequence
    [Arguments]                 ${case}
    Execute Command             faci Restart
    Execute Command             runMacro $power
    Set Up Sequencer
    FOR    ${step}    IN    @{case}[steps]
        Take Step               ${step}
    END
    ${faults}=                  Execute Command             faci FaultList
    ${expected}=                Evaluate                    "\\n".join($case["faults"])
    Should Be Equal             ${faults.strip()}           ${expected}
    ${operations}=              Execute Command             faci Operations
    ${operations}=              Evaluate                    int($operations.strip(), 16)
    Should Be Equal As Integers    ${operations}            ${case}[operations]

*** Test Cases ***
The Flash Sequencer Answers Every Sequence As Listed
    Plug In
    ${sequences}=               Evaluate                    json.load(open(r"${CURDIR}/faci.json", encoding="utf-8"))    modules=json
    Set Test Variable           ${sequences}
    Set Test Variable           ${registers}                ${sequences}[registers]
    ${COMMAND}=                 Number                      COMMAND
    ${FSTATR}=                  Number                      FSTATR
    Set Test Variable           ${COMMAND}
    Set Test Variable           ${FSTATR}
    @{failed}=                  Create List
    FOR    ${case}    IN    @{sequences}[cases]
        ${passed}    ${why}=    Run Keyword And Ignore Error    Take Sequence    ${case}
        IF    '${passed}' == 'FAIL'    Append To List       ${failed}    ${case}[name]: ${why}
    END
    ${count}=                   Get Length                  ${sequences}[cases]
    ${text}=                    Evaluate                    "\\n".join($failed)
    Should Be Empty             ${failed}                   of ${count} sequences:\n${text}
    Log To Console              ${count} sequences

A Blank Board Says Hello
    Plug In
    Execute Command             start
    ${info}=                    Wait Until Keyword Succeeds    60s    1s    Mbs    info
    Should Contain              ${info}                     blank
    No Faults

Records Are Put, Listed And Read Back
    Plug In
    Execute Command             start
    Provision
    ${info}=                    Mbs                         info
    Should Contain              ${info}                     custody${SPACE * 3}simulated
    Create File                 ${FOLDER}/secret            seven words that only this test knows
    Mbs                         put    --label    db/password    --exportable    ${FOLDER}/secret
    ${labels}=                  Records
    Should Be Equal             ${labels}                   ${{["db/password"]}}
    Mbs                         get    db/password    -o    ${FOLDER}/back
    ${back}=                    Get File                    ${FOLDER}/back
    Should Be Equal             ${back}                     seven words that only this test knows
    No Faults

A Power Cut In A Put Leaves The Store As It Was Or As It Should Be
    Plug In
    Execute Command             start
    Provision
    Create File                 ${FOLDER}/first             the first secret
    Create File                 ${FOLDER}/second            the second secret
    Mbs                         put    --label    first    --exportable    ${FOLDER}/first
    FOR    ${operation}    IN    0    3    10    40
        Execute Command         faci CutPower ${operation} 0.5
        ${put}=                 Start Process               ${NODE}    ${MBS}    --port    ${PORT}    put    --label    second-${operation}    --exportable    ${FOLDER}/second    stdin=NONE
        Wait Until Keyword Succeeds    60s    0.2s    Wait For Power Cut
        Terminate Process       ${put}
        Switch On Again
        ${labels}=              Records
        Should Contain          ${labels}                   first
        Mbs                     get    first    -o    ${FOLDER}/back-${operation}
        ${back}=                Get File                    ${FOLDER}/back-${operation}
        Should Be Equal         ${back}                     the first secret
        Mbs                     put    --label    third-${operation}    --exportable    ${FOLDER}/second
    END
    No Faults

What Was Put Is There After Power Off, In Another Renode Machine
    Plug In
    Execute Command             start
    Provision
    Create File                 ${FOLDER}/secret            kept across machines
    Mbs                         put    --label    kept    --exportable    ${FOLDER}/secret
    Execute Command             pause
    Execute Command             faci SaveFlash "${FOLDER}/flash"
    Reset Emulation
    Plug In                     ${FOLDER}/flash
    Execute Command             start
    ${labels}=                  Records
    Should Be Equal             ${labels}                   ${{["kept"]}}
    Mbs                         get    kept    -o    ${FOLDER}/back
    ${back}=                    Get File                    ${FOLDER}/back
    Should Be Equal             ${back}                     kept across machines
    No Faults

An Image Is Flashed Instead Of An ELF, And A Broken One Is Refused
    ${image}=                   Set Variable                ${FOLDER}/firmware.hex
    ${made}=                    Run Process                 arm-none-eabi-objcopy    -O    ihex    ${ELF}    ${image}
    Should Be Equal As Integers    ${made.rc}               0    ${made.stderr}
    Plug In                     image=${image}
    Execute Command             start
    ${info}=                    Wait Until Keyword Succeeds    60s    1s    Mbs    info
    Should Contain              ${info}                     blank
    No Faults
    Execute Command             pause
    ${hex}=                     Get File                    ${image}
    ${broken}=                  Evaluate                    $hex.replace("0", "1", 1)
    Create File                 ${FOLDER}/broken.hex        ${broken}
    Run Keyword And Expect Error    *broken.hex:1: no record of Intel HEX. Nothing was loaded.*    Execute Command    faci LoadImage "${FOLDER}/broken.hex"
    ${cut}=                     Evaluate                    $hex.replace(":00000001FF", "").rstrip() + "\\n"
    Create File                 ${FOLDER}/cut.hex           ${cut}
    Run Keyword And Expect Error    *the end record is missing. Nothing was loaded.*    Execute Command    faci LoadImage "${FOLDER}/cut.hex"
    Create File                 ${FOLDER}/option.hex        :020000040100F9\n:04A10000000000005B\n:00000001FF\n
    Run Keyword And Expect Error    *4 bytes at 0x0100a100 are not all in flash. Nothing was loaded.*    Execute Command    faci LoadImage "${FOLDER}/option.hex"

S1 Is Presence
    Plug In
    Execute Command             start
    Provision
    Create File                 ${FOLDER}/secret            only with a touch
    Mbs                         put    --label    touched    --exportable    --presence    each    ${FOLDER}/secret
    ${get}=                     Start Process               ${NODE}    ${MBS}    --port    ${PORT}    get    touched    -o    ${FOLDER}/back    stdin=NONE
    Wait Until Keyword Succeeds    30s    0.1s    Light Should Be On    blue
    File Should Not Exist       ${FOLDER}/back
    Execute Command             port0.person Touch
    ${result}=                  Wait For Process            ${get}    timeout=${PATIENCE}
    Should Be Equal As Integers    ${result.rc}             0    ${result.stderr}
    ${back}=                    Get File                    ${FOLDER}/back
    Should Be Equal             ${back}                     only with a touch
    ${why}=                     Mbs Refuses                 get    touched    -o    ${FOLDER}/again
    Should Contain              ${why}                      touch    ignore_case=True
    File Should Not Exist       ${FOLDER}/again
    No Faults
